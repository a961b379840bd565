"""Where the token is kept and comes from, and that it is never shown."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from remit_client.config import Access, Secret, checked_url, config_file, find_access, write
from remit_client.failures import MEANINGS, NotSignedIn, Wrong
from remit_client.tests.conftest import TOKEN, Terminal
from remit_client.tests.scripted import Answer, Scripted, problem

ME = {
    "id": "5b0f8e0e-54a5-4a39-9a0c-1f7f0c2a7d11", "name": "Alice", "decides_for": [],
    "is_operator": False, "is_auditor": False,
}  # fmt: skip


def test_login_reads_the_token_from_standard_input_and_keeps_it_for_oneself(
    terminal: Terminal, server: Scripted
) -> None:
    server.will(Answer(body=ME))
    ended = terminal.run("login", server.url + "/", stdin=TOKEN + "\n")
    assert (ended.code, ended.out) == (0, f"Signed in at {server.url} as Alice.\n")
    assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    file = config_file(os.environ)
    assert json.loads(file.read_text()) == {"url": server.url, "token": TOKEN, "ca": None}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert terminal.run("whoami").code == 0
    assert terminal.run("logout").code == 0
    assert terminal.run("whoami").code == 3


def test_a_token_that_the_site_does_not_take_is_not_kept(
    terminal: Terminal, server: Scripted
) -> None:
    server.will(problem(401, "not_signed_in", "There is no such token in force."))
    ended = terminal.run("login", server.url, stdin=TOKEN)
    assert (ended.code, ended.out) == (3, "")
    assert "There is no such token in force." in ended.err
    assert TOKEN not in ended.err
    assert not config_file(os.environ).exists()


@pytest.mark.parametrize("text", ["", "two words", "re\x1bmit", "ümlaut"])
def test_what_is_no_token_is_not_sent_and_not_repeated(
    terminal: Terminal, server: Scripted, text: str
) -> None:
    ended = terminal.run("login", server.url, stdin=text)
    assert (ended.code, server.asked) == (2, [])
    assert not text or text not in ended.err


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    write(config_file(environment), Access("https://remit.example", Secret("kept")))
    assert find_access(environment).token.reveal() == "kept"
    own = find_access(environment | {"REMIT_TOKEN": "own", "REMIT_CA": "/ca.pem"})
    assert (own.url, own.token.reveal(), own.ca) == ("https://remit.example", "own", "/ca.pem")


def test_a_token_is_not_sent_to_another_site_than_it_was_kept_for(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    write(config_file(environment), Access("https://remit.example", Secret("kept")))
    with pytest.raises(NotSignedIn):
        find_access(environment | {"REMIT_URL": "https://other.example"})


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = config_file(environment)
    write(file, Access("https://remit.example", Secret("kept")))
    file.chmod(0o640)
    with pytest.raises(Wrong, match="chmod 600"):
        find_access(environment)
    file.chmod(0o600)
    file.write_text("[")
    with pytest.raises(Wrong, match="cannot be read"):
        find_access(environment)


@pytest.mark.parametrize(
    "text",
    [
        "remit.example", "ftp://remit.example", "https://", "http://remit.example",
        "https://me:secret@remit.example", "https://remit.example/?a=1", "https://[", "file:///x",
    ],
)  # fmt: skip
def test_an_address_that_would_leak_the_token_is_refused(text: str) -> None:
    with pytest.raises(Wrong):
        checked_url(text)


def test_an_address_is_taken_as_people_paste_it() -> None:
    assert checked_url(" https://remit.example/ ") == "https://remit.example"
    assert checked_url("https://remit.example/api/v1/") == "https://remit.example"
    assert checked_url("http://127.0.0.1:8000") == "http://127.0.0.1:8000"


def test_without_a_token_the_code_is_3_and_says_what_to_do(terminal: Terminal) -> None:
    ended = terminal.run("projects")
    assert (ended.code, ended.out) == (3, "")
    assert "remit login" in ended.err


def test_no_option_takes_a_token_and_a_secret_does_not_show_itself(terminal: Terminal) -> None:
    assert "--token" not in terminal.run("login", "--help").out
    assert TOKEN not in f"{Access('https://remit.example', Secret(TOKEN))!r}"


def test_a_fault_of_the_program_shows_neither_its_token_nor_a_trace(
    terminal: Terminal, server: Scripted
) -> None:
    terminal.sign_in(server.url)
    server.will(Answer(body={"results": [{"slug": 1}], "next": None}))
    ended = terminal.run("projects")
    assert (ended.code, ended.out) == (70, "")
    assert "a fault of this program, KeyError" in ended.err
    assert TOKEN not in ended.err
    assert "Traceback" not in ended.err


def test_the_exit_codes_are_those_that_are_written_down(terminal: Terminal) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for code, words in MEANINGS.items():
        assert f"| {code.value} | {words} |" in readme
        assert f"{code.value} {words}" in " ".join(terminal.run("--help").out.split())


def test_it_runs_as_a_program_of_its_own(terminal: Terminal, server: Scripted) -> None:
    server.will(Answer(body=ME))
    environment = {**os.environ, "REMIT_URL": server.url, "REMIT_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-m", "remit_client", "whoami", "--json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["me"], done.stderr) == (0, ME, "")
    usage = [sys.executable, "-m", "remit_client", "wait", "soon"]
    assert subprocess.run(usage, capture_output=True, timeout=60, check=False).returncode == 2
