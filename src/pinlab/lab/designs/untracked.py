"""untracked: 4.20 as it was. A pin is a plain reference, and nobody can tell it from others.

Source: mm/gup.c, 4.20. Known holes: all of them; it is what the thread set out to replace.
"""
