"""How users are counted."""
