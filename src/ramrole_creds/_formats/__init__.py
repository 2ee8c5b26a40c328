"""Formats that the services share: credential JSON and timestamps."""
