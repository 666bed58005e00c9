"""Sources of kernel memory: live, kcore, vmcore, guest; all answer the few calls of `reader`."""
