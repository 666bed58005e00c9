"""The field: who pins what on a running kernel, in a guest, in a dump, in a recording."""
