"""One file per kind of holder; each defines `WALKER`."""
