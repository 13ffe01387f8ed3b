"""A real Valkey or Redis for the tests."""
