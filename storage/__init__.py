"""The first floor: the only SQL and the only Redis of the project. It keeps and carries; it decides nothing."""
