"""sysgraph beside what one would use instead: `python -m benchmarks --help`, and docs/speed.md."""
