"""A cloud of its own for each test: an import looks at all of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from contrib.sandbox.control import running_sandbox
from quotas.tests.importing.town import Town, build


@pytest.fixture
def town(tmp_path: Path, settings: Settings) -> Iterator[Town]:
    with running_sandbox(tmp_path) as sandbox:
        settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
        settings.CALL_TIMEOUT_SECONDS = 5
        yield build(sandbox)
