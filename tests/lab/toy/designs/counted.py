"""counted: each user counts."""
