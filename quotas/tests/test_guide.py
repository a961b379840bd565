"""The examples of docs/guide-api.md, run in order as a reader would, against a running site."""

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from contrib.testing.clouds import SandboxSite
from portal.lib.servers.valkey import free_port
from portal.testing.servers import DatabaseCopy
from projects.outgoing import signing
from quotas.models import QuotaRequest
from quotas.queries.accounts import audit
from quotas.tests.stage import PASSWORD, ROOT, Stage, staged

GUIDE = ROOT / "docs" / "guide-api.md"
BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What one block exports the next one has.
SHELL = """\
set -euo pipefail
source ./exported.sh
{text}
export -p > ./exported.sh
"""


@dataclass(frozen=True)
class Block:
    """A piece of the guide: `file` is where it is written to, if it is not run."""

    language: str
    file: str
    text: str
    line: int


def blocks() -> list[Block]:
    guide = GUIDE.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(guide):
        language, __, file = match["info"].partition(" ")
        line = guide.count("\n", 0, match.start()) + 1
        found.append(Block(language, file, match["text"], line))
    return found


@pytest.fixture
def stage(
    sandbox_site: SandboxSite, database_copy: DatabaseCopy, tmp_path: Path
) -> Iterator[Stage]:
    # Its webhooks reach this machine, where the receiver of the guide is.
    allowed = {"WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8", "WEBHOOK_ALLOW_HTTP": "true"}
    with staged(sandbox_site, database_copy, None, tmp_path, **allowed) as standing:
        yield standing


def test_every_block_of_the_guide_is_run_written_or_compared() -> None:
    found = blocks()
    assert len(found) > 20
    assert {each.language for each in found} == {"sh", "python", "yaml", "text"}
    before = [None, *found]
    for last, block in zip(before, found, strict=False):
        if block.language == "text":
            assert last is not None, block
            assert (last.language in ("sh", "python"), last.file) == (True, ""), block
        assert block.language != "yaml" or block.file, block


def test_the_receiver_of_the_guide_knows_a_call_of_ours_and_only_that() -> None:
    code = next(each.text for each in blocks() if each.file == "receiver.py")
    receiver: dict[str, Any] = {}
    exec(compile(code, "receiver.py", "exec"), receiver)  # it is ours
    secrets = [signing.new_secret() for _ in range(2)]
    at, body = datetime.now(UTC), '{"é": 1}'.encode()
    headers = signing.signed_headers(message_id="7", at=at, body=body, secrets_now=secrets)
    is_genuine = receiver["is_genuine"]
    assert [is_genuine(headers, body, each) for each in secrets] == [True, True]
    assert not is_genuine(headers, body, signing.new_secret())
    assert not is_genuine(headers, body + b" ", secrets[0])
    assert not is_genuine(headers | {"webhook-id": "8"}, body, secrets[0])
    assert not is_genuine(headers, body, secrets[0], now=at.timestamp() + 301)


@pytest.mark.needs("curl")
def test_the_guide_does_what_it_says(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    port = str(free_port())
    (folder / "exported.sh").write_text(f"export PORT={port}\n")
    real = {
        "https://remit.example": stage.running.url,
        "https://tickets.example": f"http://127.0.0.1:{port}",
        "remit_alices_token": token_by_page(stage, "alice", "read", "ask", "listen"),
        "remit_danas_token": token_by_page(stage, "dana", "read", "decide"),
    }
    said = ""
    for block in blocks():
        text = block.text
        for shown, meant in real.items():
            text = text.replace(shown, meant)
        if block.language == "text":
            assert re.fullmatch(pattern_of(text), said.strip()), f"line {block.line}:\n{said}"
        elif block.file:
            (folder / block.file).write_text(text, encoding="utf-8")
        else:
            said = run(block, text, folder)
    asked = QuotaRequest.objects.get(reason="First light")
    assert asked.lines.get().state == "granted"
    assert QuotaRequest.objects.count() == 2
    limits = stage.cloud.plain.compute_limits("geneva", stage.external_id)
    volumes = stage.cloud.plain.volume_limits("geneva", stage.external_id)
    assert (limits["cores"], volumes["gigabytes"]) == (64, 1024)
    assert audit() == []


def run(block: Block, text: str, folder: Path) -> str:
    """What a block prints; it must end well."""
    if block.language == "python":
        (folder / "block.py").write_text(text, encoding="utf-8")
        text = f"{sys.executable} block.py"
    # The programs of this Python stand first: `remit`, and `python3`.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", SHELL.format(text=text)], cwd=folder, timeout=240, check=False,
        capture_output=True, text=True,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "120", "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
    what = f"{GUIDE.name}, line {block.line}:\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, what
    return done.stdout


def pattern_of(text: str) -> str:
    """What the guide shows: "…" is anything within a line, and how wide a gap is tells nothing."""
    lines = [
        " +".join(re.escape(word).replace("…", ".*") for word in line.split()) + "[ \r]*"
        for line in text.strip().splitlines()
    ]
    return "\n".join(lines)


def token_by_page(stage: Stage, name: str, *scopes: str) -> str:
    """Make a token as the guide says: on one's own page, which shows it once."""
    session = requests.Session()
    session.headers["Referer"] = stage.running.url

    def fill(path: str, **fields: object) -> str:
        page = session.get(stage.running.url + path, timeout=30)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found is not None, page.text
        hidden = {"csrfmiddlewaretoken": found[1]}
        sent = session.post(stage.running.url + path, data=hidden | fields, timeout=30)
        assert sent.status_code == 200, sent.text
        return sent.text

    fill("/sign-in/", username=name, password=PASSWORD)
    page = fill("/me/tokens/", name="the guide", scopes=list(scopes), networks="", ends_on="")
    found = re.search(r'id="secret"[^>]*value="([^"]+)"', page)
    assert found is not None, page
    return html.unescape(found[1])
