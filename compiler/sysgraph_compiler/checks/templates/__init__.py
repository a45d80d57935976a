"""SG401 and on: templates."""
