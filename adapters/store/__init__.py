"""The only SQL of the product: the journal, the code libraries."""
