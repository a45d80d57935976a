"""Who takes the steps: sysgraph as `fit` does, TRL, and plain code."""
