"""Who runs beside whom: one file each, found by its place; see scenario.py."""
