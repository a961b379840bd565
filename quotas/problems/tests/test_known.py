"""Every error that a driver or delivery can name is explained; the first match wins."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from quotas.problems import Remedy, known, match
from quotas.problems.matching import load

QUOTAS = Path(__file__).resolve().parents[2]
# The calls that name a code, and which argument it is.
NAMED_BY = {"BackendError": 1, "Refusal": 0, "Rule": 2}
# Codes that stand in tables and returns, not in such a call.
# What a driver takes for an answer: it never leaves it as an error.
ANSWERS = {"not_held", "granted", "not_granted"}
BY_HAND = {"no_connection", "dropped", "waiting", "skipped"}


def codes() -> set[str]:
    """Every code that drivers and delivery can give to an error, found in their source."""
    files = [
        file
        for folder in ("backends", "delivery")
        for file in (QUOTAS / folder).glob("*.py")
    ]  # fmt: skip
    found = {code for file in files for code in _codes_in(ast.parse(file.read_text()))}
    return (found | BY_HAND) - ANSWERS


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = NAMED_BY.get(node.func.id)
            if place is not None and len(node.args) > place:
                yield from _text(node.args[place])
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            kind, code = node.elts
            if isinstance(kind, ast.Attribute) and ast.unparse(kind).startswith("Kind."):
                yield from _text(code)


def _text(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_the_codes_are_found_in_the_source() -> None:
    assert {
        "rate_limited", "unavailable", "server_error", "conflict", "version", "broken_answer",
        "project_gone", "project_disabled", "name_taken", "tag_twice", "bad_name", "below_usage",
        "unknown_key", "key_missing", "not_taken", "bad_request", "forbidden", "credentials",
        "not_found", "no_endpoint", "configuration", "unexpected", "no_connection", "tls",
        "timeout", "dropped", "internal",
    } <= codes()  # fmt: skip


@pytest.mark.parametrize("code", sorted(codes()))
def test_each_code_is_explained_to_people_and_to_operators(code: str) -> None:
    for driver in ("keystone", "nova", "cinder"):
        problem = match(driver, code, "whatever it said")
        assert problem.is_known, code
        assert problem.for_people % {"name": "Nova geneva"}
        assert problem.title
        assert problem.for_operators
        assert problem.fix


def test_an_error_of_no_entry_is_a_problem_of_its_driver_and_code() -> None:
    problem = match("manila", "strange", "words")
    assert (problem.id, problem.is_known, problem.remedy) == (
        "unknown.manila.strange", False, Remedy.NONE,
    )  # fmt: skip
    assert problem.id != match("manila", "stranger", "words").id


def test_words_part_what_a_code_alone_would_not() -> None:
    assert match("nova", "credentials", "The account is locked").id == "password-expired"
    assert match("nova", "credentials", "Invalid user").id == "credentials"


def test_the_service_s_words_name_the_limits_to_leave_out() -> None:
    words = "This service has no limit called gigabytes_fast, volumes_fast."
    problem = match("cinder", "key_missing", words)
    assert problem.remedy is Remedy.SKIP_KEY
    assert problem.keys_in(words) == ["gigabytes_fast", "volumes_fast"]


def test_only_waiting_and_looking_again_go_without_a_word_of_the_site() -> None:
    automatic = {each.remedy for each in known().problems if each.automatic}
    assert automatic == {Remedy.WAIT, Remedy.REREAD}


SITE = r"""
- id: project-gone
  automatic: true
- id: our-proxy
  codes: [unavailable]
  drivers: [cinder]
  words: 'proxy-7'
  title: Proxy 7 again
  people:
    en: A proxy of ours is away.
    fr: Un de nos proxys est absent.
  operators: The proxy in building 7.
  fix: Restart it.
  remedy: wait
"""


def test_a_site_adds_entries_and_changes_fields_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(SITE)
    site = load(str(file))
    gone = site.match("keystone", "project_gone", "")
    assert (gone.id, gone.automatic, gone.remedy) == ("project-gone", True, Remedy.RECREATE)
    ours = site.match("cinder", "unavailable", "503 from PROXY-7")
    assert ours.id == "our-proxy"
    assert ours.for_people == "A proxy of ours is away."
    with translation.override("fr"):
        assert ours.for_people == "Un de nos proxys est absent."
    assert site.match("nova", "unavailable", "503 from proxy-7").id == "unavailable"
