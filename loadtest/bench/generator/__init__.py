"""The load generator of the fan-out benchmarks: a program of its own, `python -m loadtest.bench.generator`.

It speaks to any server that speaks WebSocket; what it says is given on the command line (docs/benchmarks.md), so that one
written in another language can take its place.
"""
