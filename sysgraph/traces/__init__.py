"""Traces: the values of a system, what exists of them, and what follows deterministically."""
