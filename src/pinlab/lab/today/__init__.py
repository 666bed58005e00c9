"""Linux 7.2: its model, operations, states and designs."""
