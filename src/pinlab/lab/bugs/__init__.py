"""Known bugs of the kernel, brought back one per file."""
