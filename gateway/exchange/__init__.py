"""A transaction's way through: desk, settlement machine, clerk, lanes, recovery."""
