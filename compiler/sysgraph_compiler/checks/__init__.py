"""One file a kind of problem: its code, what it means, and how it is found."""
