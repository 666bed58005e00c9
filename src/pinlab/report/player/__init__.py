"""A counterexample as a page on which one steps through the race."""
