"""The roof: a well-mannered client and the people simulated with it. It sees the wire only, like any client."""
