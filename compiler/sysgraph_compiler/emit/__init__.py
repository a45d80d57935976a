"""A program, written for people."""
