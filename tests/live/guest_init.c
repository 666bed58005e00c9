/* The only process of a guest: pins memory of several sorts, says which frames, and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define HUGE (2UL << 20)

static uint64_t frame(void *address)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	pread(fd, &entry, 8, (uintptr_t)address / PAGE * 8);
	close(fd);
	return entry & ((1UL << 55) - 1);
}

static void *map(size_t size, int flags, int fd)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		return NULL;
	return memory;
}

/* Registering a buffer with a ring pins it for as long as the ring is open. */
static void pin(const char *name, void *address, size_t size, size_t step)
{
	char parameters[120] = {0};
	struct iovec vector = {address, size};
	int ring;

	if (!address) {
		printf("NONE %s\n", name);
		return;
	}
	memset(address, 1, size);
	ring = syscall(425, 8, parameters);
	if (syscall(427, ring, 0, &vector, 1) != 0) {
		printf("NONE %s\n", name);
		return;
	}
	for (size_t at = 0; at < size; at += step)
		printf("PIN %s %lu %lx\n", name, frame((char *)address + at), (long)address + at);
}

static void write_one(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	write(fd, text, strlen(text));
	close(fd);
}

int main(void)
{
	char *memory;
	int fd;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	fd = open("/qemu_fw_cfg.ko", O_RDONLY);
	printf("\nMODULE %ld\n", syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	write_one("/proc/sys/vm/nr_hugepages", "4\n");
	memory = map(4 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(memory, 4 * PAGE, MADV_NOHUGEPAGE);
	pin("anon", memory, 4 * PAGE, PAGE);

	memory = map(2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	madvise(memory, HUGE, MADV_HUGEPAGE);
	pin("thp", memory, HUGE, HUGE);

	/* Mapped page by page from now on, not as one. */
	memory = map(2 * HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	madvise(memory, HUGE, MADV_HUGEPAGE);
	pin("split", memory, HUGE, HUGE);
	mprotect(memory, PAGE, PROT_READ);

	fd = memfd_create("guest", 0);
	ftruncate(fd, 2 * PAGE);
	pin("memfd", map(2 * PAGE, MAP_SHARED, fd), 2 * PAGE, PAGE);

	pin("hugetlb", map(HUGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), HUGE, HUGE);
	fd = memfd_create("huge", MFD_HUGETLB);
	ftruncate(fd, HUGE);
	pin("hugefile", map(HUGE, MAP_SHARED, fd), HUGE, HUGE);
	printf("READY\n");
	fflush(stdout);
	for (;;)
		pause();
}
