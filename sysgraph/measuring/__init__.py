"""Measuring systems: scorers, judges, evaluation, win rates."""
