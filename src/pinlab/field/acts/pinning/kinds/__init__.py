"""One file per kind of hold; each defines `KIND`."""
