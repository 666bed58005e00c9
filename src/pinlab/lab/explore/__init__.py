"""Explorers: every state of a system, breadth-first."""
