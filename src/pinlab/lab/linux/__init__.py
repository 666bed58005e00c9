"""Linux 4.20's memory management around pinned pages, one file per kernel source file.

One file with two pages, four page frames, four mappings in two address spaces: the same layout for
every scenario, so that one compiled program serves all of them. `design.py` is what the model
offers to a design; `tasks.py` holds the threads that scenarios start.
"""
