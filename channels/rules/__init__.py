"""Pure permission rules: facts in, a verdict out. Nothing here reads a clock, a database or a setting."""
