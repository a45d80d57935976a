"""SG501 and on: types."""
