"""Each test begins in the site's own language, whatever a page of the last one spoke."""

from collections.abc import Iterator

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    # A request makes its reader's language the thread's, and the test's client leaves it so.
    yield
    translation.deactivate()
