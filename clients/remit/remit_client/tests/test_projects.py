"""Projects asked for from a file, people given roles, and what waits for a yes answered."""

import json
from typing import Any

import pytest

from remit_client.tests.conftest import Terminal
from remit_client.tests.scripted import Answer, Scripted, problem

OFFERING = {"slug": "geneva.compute-a.vcpu", "unit": "", "step": 1}
OFFERINGS = Answer(body={"next": None, "results": [OFFERING]})
WHO = "5b0f8e0e-54a5-4a39-9a0c-1f7f0c2a7d11"
FILE = f"""\
name: Higgs Reconstruction
purpose: Reconstruction of the 2026 data
unit: atlas
ends: 2027-12-31
members:
  - {{who: "person:{WHO}", role: member}}
presets: [small]
lines:
  geneva.compute-a.vcpu: 16
"""
CHANGE: dict[str, Any] = {
    "id": 7, "project": {"slug": "telescope"}, "kind": "loan", "state": "open", "version": 3,
    "asked_by": {"name": "Alice"}, "to_person": None, "to_unit": None, "until_on": None,
    "loan": {"offering": "geneva.compute-a.vcpu", "outstanding": 12}, "reason": "Run 4",
}  # fmt: skip


@pytest.fixture
def remit(terminal: Terminal, server: Scripted) -> Terminal:
    terminal.sign_in(server.url)
    return terminal


def test_a_project_is_asked_for_as_its_file_says(remit: Terminal, server: Scripted) -> None:
    file = remit.file("project.yaml", FILE)
    made = {"slug": "higgs", "state": "proposed", "request": {"id": 12, "state": "open"}}
    server.will(OFFERINGS, Answer(201, made))
    ended = remit.run("project", "new", "--file", file)
    assert (ended.code, "#12 decides it: open" in ended.out) == (0, True), ended.err
    sent = server.asked[-1]
    assert (sent.method, sent.path) == ("POST", "/api/v1/projects/")
    assert sent.body == {
        "name": "Higgs Reconstruction", "purpose": "Reconstruction of the 2026 data",
        "unit": "atlas", "description": "", "ends_on": "2027-12-31", "reason": "",
        "until_on": None, "all_or_nothing": False, "presets": ["small"],
        "members": [{"holder": {"kind": "person", "id": WHO}, "role": "member"}],
        "lines": {"geneva.compute-a.vcpu": 16},
    }  # fmt: skip


def test_a_project_is_rehearsed_without_being_asked_for(remit: Terminal, server: Scripted) -> None:
    file = remit.file("project.yaml", FILE)
    server.will(OFFERINGS, Answer(body={"lines": [], "limits": [], "warnings": []}))
    ended = remit.run("project", "new", "--file", file, "--dry-run")
    assert (ended.code, "Nothing was sent." in ended.out) == (0, True), ended.err
    assert server.asked[-1].path == "/api/v1/projects/?dry_run=true"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FILE.replace("unit: atlas\n", ""), "`unit:` is missing"),
        (FILE + "colour: red\n", "`colour` means nothing here"),
        (FILE.replace("person:", "nobody:"), "names nobody"),
        (FILE.replace("vcpu: 16", "vcpus: 16"), "Did you mean geneva.compute-a.vcpu?"),
        (FILE.replace("vcpu: 16", "vcpu: 16GiB"), "this is a count"),
        (FILE + "---\n" + FILE, "one project at a time"),
    ],
)
def test_what_is_wrong_in_a_projects_file_sends_nothing(
    remit: Terminal, server: Scripted, text: str, sentence: str
) -> None:
    server.will(OFFERINGS)
    ended = remit.run("project", "new", "--file", "-", stdin=text)
    assert (ended.code, sentence in ended.err) == (2, True), ended.err
    assert all(each.method == "GET" for each in server.asked)


def test_what_is_no_verb_is_the_name_of_a_project(remit: Terminal, server: Scripted) -> None:
    server.will(Answer(body={"slug": "telescope"}))
    assert json.loads(remit.run("project", "telescope", "--json").out) == {"slug": "telescope"}
    assert server.asked[-1].path == "/api/v1/projects/telescope/"


def test_a_role_is_given_in_place_of_the_one_that_was_seen(
    remit: Terminal, server: Scripted
) -> None:
    held = {"role": "reader", "ends_at": None,
            "holder": {"kind": "person", "id": WHO, "name": "Bob"}}  # fmt: skip
    rows = Answer(body={"next": None, "results": [held]})
    waiting = {"waiting": [{"sentence": "Bob is not in Keystone yet."}]}
    server.will(rows, Answer(body={}), rows, Answer(body=waiting))
    ended = remit.run("members", "telescope", "--set", f"person:{WHO}=member")
    assert (ended.code, "Bob is not in Keystone yet." in ended.out) == (0, True), ended.err
    assert server.asked[1].body == {"person": WHO, "role": "member", "seen": "reader"}
    assert remit.run("members", "telescope", "--set", "Bob=member").code == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(None, "telescope lasts until 2027-12-31."), ({"id": 7}, "Change 7 of telescope waits")],
)
def test_a_project_is_extended_or_that_is_asked_for(
    remit: Terminal, server: Scripted, change: Any, sentence: str
) -> None:
    server.will(Answer(body={"project": {"ends_on": "2027-12-31"}, "change": change}))
    ended = remit.run("project", "extend", "telescope", "2027-12-31", "--reason", "Run 4")
    assert (ended.code, sentence in ended.out) == (0, True), ended.err
    assert server.asked[-1].body == {"until_on": "2027-12-31", "reason": "Run 4"}


def test_what_waits_is_listed_in_words(remit: Terminal, server: Scripted) -> None:
    moved = CHANGE | {"kind": "move", "loan": None, "to_unit": "it", "asked_by": None}
    server.will(Answer(body={"next": None, "results": [CHANGE, moved]}), OFFERINGS)
    ended = remit.run("changes", "--mine")
    assert ended.code == 0, ended.err
    assert "12 of geneva.compute-a.vcpu for good" in ended.out
    assert "into it" in ended.out
    assert "mine=true" in server.asked[0].path
    assert "state=open" in server.asked[0].path


def test_an_answer_goes_with_the_version_that_was_read(remit: Terminal, server: Scripted) -> None:
    server.will(Answer(body=CHANGE), Answer(body=CHANGE | {"state": "accepted"}))
    ended = remit.run("change", "accept", "7", "--reason", "Fine")
    assert (ended.code, "accepted" in ended.out) == (0, True), ended.err
    sent = server.asked[-1]
    assert (sent.path, sent.body) == (
        "/api/v1/changes/7/accept/", {"version": 3, "answer": "Fine"},
    )  # fmt: skip
    server.will(Answer(body=CHANGE), problem(412, "stale", "It has changed."))
    assert remit.run("change", "withdraw", "7").code == 6
    assert remit.run("change", "decline", "7").code == 2
