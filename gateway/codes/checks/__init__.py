"""The content checks MA01..MA17 of mappings: pure rules over rows, national records and what else was given."""
