"""Training: pairs, steps, rounds, run folders."""
