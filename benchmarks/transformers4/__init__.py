"""transformers 4.55.4, the last release with group beam search, in an environment of its own."""
