"""SG201 and on: edges and outputs."""
