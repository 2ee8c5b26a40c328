"""The conformance kit: runs any client, in any language, against the fake cloud and says what held."""
