"""The smallest world: a cup that is not washed up while somebody drinks from it."""
