"""A terminal of its own for each test: its folder, its environment, what is typed into it."""

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from remit_client.cli import run_command
from remit_client.run import Run
from remit_client.tests.scripted import Scripted, scripted

TOKEN = "remit_abc123_0123456789abcdef"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """`run("projects", "--json")` as a shell would; what is piped in is `stdin`."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: object, stdin: str = "") -> Ended:
        self.capsys.readouterr()
        typed = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", typed)
            code = run_command(Run(), [str(each) for each in arguments])
        out, err = self.capsys.readouterr()
        return Ended(int(code), out, err)

    def sign_in(self, url: str, token: str = TOKEN) -> None:
        self.monkeypatch.setenv("REMIT_URL", url)
        self.monkeypatch.setenv("REMIT_TOKEN", token)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    for name in ("REMIT_URL", "REMIT_TOKEN", "REMIT_CA", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Terminal(tmp_path, monkeypatch, capsys)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running
