"""Who holds what: one walker per kind of holder, and the join of their claims with a census.

`walkers/` has one file per kind, found by its place. A walker reads the kernel's own registries
of what it holds; it decides nothing about whether the claim is true, which `attribution` does.
"""
