"""What all pages of pinlab have in common: one file each, that needs nothing else."""
