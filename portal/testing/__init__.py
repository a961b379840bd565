"""What tests of every app share: servers, databases, needs, and waiting for a state."""

from portal.testing.waiting import wait_until

__all__ = ["wait_until"]
