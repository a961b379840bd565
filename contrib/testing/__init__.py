"""Clouds for tests: the sandbox and real OpenStack services, handled in the same way."""
