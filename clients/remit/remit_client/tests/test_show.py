"""What is shown: one line each, nothing that moves the terminal, readable when it is narrow."""

import json

import pytest

from remit_client.show import clean, width
from remit_client.tests.conftest import Terminal
from remit_client.tests.scripted import Answer, Scripted

EVIL = "a\x1b[31mred\x9b2J\u202e\u2028\r\nb"


def project(slug: str = "atlas", description: str = "Muons") -> dict[str, object]:
    return {
        "slug": slug, "unit": "ep", "state": "active", "roles": ["owner"],
        "description": description,
    }  # fmt: skip


@pytest.fixture
def signed_in(terminal: Terminal, server: Scripted) -> Terminal:
    terminal.sign_in(server.url)
    return terminal


def shows(server: Scripted, *rows: dict[str, object]) -> None:
    server.will(Answer(body={"results": list(rows), "next": None}))


def test_control_characters_of_others_are_shown_as_their_numbers(
    signed_in: Terminal, server: Scripted
) -> None:
    shows(server, project(description=EVIL))
    out = signed_in.run("projects").out
    assert r"a\x1b[31mred\x9b2J\u202e\u2028\x0d b" in out
    assert out.count("\n") == 2
    assert all(char == "\n" or char.isprintable() for char in out)


def test_json_is_whole_and_moves_nothing_either(signed_in: Terminal, server: Scripted) -> None:
    shows(server, project(description=EVIL + "\U000e0001 Zürich"))
    out = signed_in.run("projects", "--json").out
    assert json.loads(out)[0]["description"] == EVIL + "\U000e0001 Zürich"
    assert all(char == "\n" or char.isprintable() for char in out)
    assert "Zürich" in out


def test_columns_stand_below_their_heads(signed_in: Terminal, server: Scripted) -> None:
    shows(server, project(), project("望遠鏡", "Sky"))
    lines = signed_in.run("projects").out.splitlines()
    assert [width(line[: line.index(word)]) for line, word in
            zip(lines, ("unit", "ep", "ep"), strict=True)] == [9, 9, 9]  # fmt: skip


def test_on_a_narrow_terminal_rows_are_told_one_below_the_other(
    signed_in: Terminal, server: Scripted
) -> None:
    signed_in.monkeypatch.setenv("COLUMNS", "30")
    shows(server, project(), project("cms"))
    lines = signed_in.run("projects").out.splitlines()
    assert lines[0] == "project: atlas"
    assert lines.index("project: cms") == 6
    assert max(map(len, lines)) <= 30


def test_nothing_is_said_in_words(signed_in: Terminal, server: Scripted) -> None:
    shows(server)
    assert signed_in.run("projects").out == "You may see no project.\n"
    shows(server)
    assert json.loads(signed_in.run("projects", "--json").out) == []


def test_no_colour_where_nobody_looks(signed_in: Terminal, server: Scripted) -> None:
    shows(server, project())
    assert "\x1b" not in signed_in.run("projects").out


@pytest.mark.parametrize(("no_colour", "is_coloured"), [("", True), ("1", False)])
def test_no_color_is_heeded(
    signed_in: Terminal, server: Scripted, no_colour: str, is_coloured: bool
) -> None:
    signed_in.monkeypatch.setenv("NO_COLOR", no_colour)
    signed_in.monkeypatch.setenv("TERM", "xterm")
    signed_in.monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shows(server, project())
    assert ("\x1b[" in signed_in.run("projects").out) == is_coloured


def test_clean_keeps_what_people_write() -> None:
    assert clean("Zürich – 10 % “more”") == "Zürich – 10 % “more”"
