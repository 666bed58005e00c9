"""Kernel memory: readers, which all answer the few calls of `reader`; structures, lists, trees."""
