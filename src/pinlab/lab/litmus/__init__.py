"""Litmus tests: what a few lines of kernel C may come to under each memory model."""
