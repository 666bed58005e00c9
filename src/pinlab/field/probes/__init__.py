"""Programs that run in the kernel at tracepoints and functions, and the records they leave."""
