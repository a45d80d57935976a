"""sysgraph beside what one would use instead; `python -m benchmarks --help`, docs/benchmarks.md."""
