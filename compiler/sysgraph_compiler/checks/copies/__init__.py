"""SG601 and on: copies and loops."""
