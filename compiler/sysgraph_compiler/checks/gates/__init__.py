"""SG901 and on: gates."""
