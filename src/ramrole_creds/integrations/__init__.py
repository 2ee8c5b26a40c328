"""Ways into HTTP clients and SDKs; each module imports its own library, so import the one you need.

HTTP clients: `requests`, `httpx`, `aiohttp`, `urllib3` sign what these clients send. Most SDKs need nothing from here:
they take a provider as it is.
"""
