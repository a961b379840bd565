"""What happens after a commit, in tests inside one transaction."""

import pytest

from .handing import Commits


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Commits) -> Commits:
    """What happens after a commit happens at the end of the block."""
    return django_capture_on_commit_callbacks
