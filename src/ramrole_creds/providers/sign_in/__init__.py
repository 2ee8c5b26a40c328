"""Providers that use the sign-in tokens of the aliyun CLI."""
