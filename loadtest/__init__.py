"""The roof: a well-mannered client, and benchmarks. It sees the wire only, like any client."""
