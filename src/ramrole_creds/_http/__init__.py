"""The one place that opens connections."""
