/* The first process of a guest with Python: loads what the kernel needs, then runs the agent. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the order of their names, in which each comes after those it needs. */
static void load_modules(void)
{
	struct dirent **found;
	int count = scandir("/modules", &found, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		int fd;

		if (found[i]->d_name[0] == '.')
			continue;
		chdir("/modules");
		fd = open(found[i]->d_name, O_RDONLY);
		if (syscall(SYS_finit_module, fd, "", 0) != 0)
			fprintf(stderr, "module %s: %m\n", found[i]->d_name);
		close(fd);
	}
}

static void run(char **words)
{
	if (dup2(open("/commands", O_RDONLY), 0) != 0 || dup2(open("/dev/vdb", O_WRONLY), 1) != 1)
		perror("commands");
	else if (chroot("/image") != 0 || chdir("/") != 0)
		perror("image");
	else
		execv(words[0], words);
	perror(words[0]);
	_exit(127);
}

/* The words of our command line are the agent's. */
int main(int count, char **words)
{
	mkdir("/image", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	/* Disks are looked for in the background. */
	for (int tries = 0; tries < 100; tries++) {
		if (mount("/dev/vda", "/image", "ext4", MS_RDONLY, NULL) == 0)
			break;
		usleep(100000);
	}
	mount("proc", "/image/proc", "proc", 0, NULL);
	mount("sys", "/image/sys", "sysfs", 0, NULL);
	mount("dev", "/image/dev", "devtmpfs", 0, NULL);
	mount("run", "/image/run", "tmpfs", 0, NULL);
	if (fork() == 0)
		run(words + 1);
	wait(NULL);
	sync();
	reboot(RB_AUTOBOOT);
}
