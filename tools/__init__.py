"""Programs for those who work on pinlab."""
