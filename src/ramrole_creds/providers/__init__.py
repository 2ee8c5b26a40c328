"""One module for each kind of provider; each only knows how to fetch."""
