"""Folders and processes for the tests of the house."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Like a person's checkout: deep below folders that may be closed to the servers' user."""
    folder = tmp_path_factory.mktemp("data") / "of a site"
    yield folder
    link = folder / "postgres"
    if link.is_symlink():
        subprocess.run(["rm", "-rf", str(link.resolve())], check=True)


@pytest.fixture
def bare_environment(data_dir: Path) -> dict[str, str]:
    """What a person's shell has, and the site's DATA_DIR."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"DATA_DIR": str(data_dir)}
