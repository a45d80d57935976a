"""The tools that come along and read something: `retrieve`, `search`, `browse`."""
