"""Pins made on purpose, kept until told, and cleaned up whatever happens.

`kinds/` has one file per kind of holder, found by its place; `kind` is what they have in
common, and `hold` is the way in. This file imports nothing: the FUSE server starts fast.
"""
