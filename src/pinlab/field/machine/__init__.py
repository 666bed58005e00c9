"""The machine we run on, as it tells about itself: system calls, /proc, and bpf(2)."""
