"""A stock kernel in QEMU that runs pinlab's commands: unprivileged, bounded, gone with us.

A kernel's package, unpacked, is enough: the guest's root is this Python with pinlab in it, and the
kernel finds it in memory (initramfs), so no disk, no file system and no driver is needed to begin.
Orders go in and answers come out by a serial line.

Refused: KVM, which is not everywhere and may hang where it is nested; a root on a disk, which
takes mkfs to make and a first program in C to mount.
"""
