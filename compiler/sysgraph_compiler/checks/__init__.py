"""One file a kind of problem: its code, what it means, and how it is found.

Each is read alone: its examples stand whole, as `sysgraph explain` prints them, even where those of
a neighbour differ in one line.
"""
