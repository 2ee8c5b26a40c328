"""The HTTP server of the fake cloud."""
