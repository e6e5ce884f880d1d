"""Wiring: configuration, assembly, the command line."""
