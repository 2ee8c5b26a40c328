"""The credential cache and its parts: when to fetch, who waits, and what a failure means."""
