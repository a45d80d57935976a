"""The steps from a graph to a program, each readable alone."""
