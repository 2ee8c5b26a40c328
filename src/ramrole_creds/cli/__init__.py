"""The command `ramrole-creds`: a demonstration, the fake cloud for other languages, and a look at what is found here.

Needs the extra `cli`. Nothing here is meant to be imported.
"""
