"""One module per signature scheme."""
