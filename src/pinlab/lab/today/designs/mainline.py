"""Linux 7.2 as it is: nothing is replaced."""
