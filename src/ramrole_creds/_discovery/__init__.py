"""Which provider a program uses: the chain, and providers made from a URL or a configuration."""
