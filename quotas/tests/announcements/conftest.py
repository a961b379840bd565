"""Announcements are mailed too: the fixtures of mail."""

from quotas.tests.mail.conftest import mailed, server

__all__ = ["mailed", "server"]
