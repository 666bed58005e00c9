"""Mutants: the model with one thing wrong, to see what the lab would notice."""
