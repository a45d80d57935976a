"""SG301 and on: models, parsers and tools."""
