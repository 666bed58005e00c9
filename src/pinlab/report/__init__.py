"""From result objects to something a person or a program reads. Knows result types only."""
