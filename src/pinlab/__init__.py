"""pinlab: who pins a page, and what a design that tracks pins can promise."""
