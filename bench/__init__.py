"""Compares the two programs with their peers, side by side in one run; docs/benchmarks.md has the method."""
