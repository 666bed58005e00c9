"""Designs of 7.2: what could be replaced in it."""
