"""Providers that read profile files, and the files themselves."""
