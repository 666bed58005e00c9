"""Where a field lies in this kernel's structures, and what to refuse."""
