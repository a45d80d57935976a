"""SG701 and on: training."""
