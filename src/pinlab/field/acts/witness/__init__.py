"""Hazards of the thread made to happen on this machine, and watched."""
