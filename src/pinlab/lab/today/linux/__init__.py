"""The memory management of Linux 7.2, one file per kernel source file that it stands for.

Folios are of order 0, and each mapping has one page. Every docstring names the kernel's file and
function, and what is left out and why that is safe.
"""
