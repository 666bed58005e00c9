"""Figures beside those of a peer, in the same run."""
