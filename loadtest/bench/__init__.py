"""Benchmarks: what this server costs and how fast it is, measured from outside over the wire (docs/benchmarks.md)."""
