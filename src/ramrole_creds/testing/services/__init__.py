"""Endpoints that verify every request they get, as the services behind the real cloud do."""
