"""A file of known problems is checked as a whole: each error names the entry and the field."""

from pathlib import Path

import pytest

from quotas.problems.matching import load
from quotas.problems.reading import Unreadable

WHOLE = """
- id: {id}
  codes: [odd]
  title: Odd
  people: Odd.
  operators: Odd.
  fix: Wait.
  remedy: none
"""


def sentences(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    with pytest.raises(Unreadable) as refused:
        load(str(file))
    return [each.removeprefix(f"{file}, ").removeprefix(f"{file}: ")
            for each in refused.value.sentences]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("remedy: pray", "odd: remedy is 'pray', none of wait, reread, recreate, skip_key"),
        ("titel: x", "odd: titel is no field; there are id, codes"),
        ("codes: odd", "odd: codes is not a list of names"),
        ("codes: []", "odd: codes is missing: it would match everything"),
        ("words: '(a'", "odd: words is no regular expression"),
        ("people: 100 % sure", "odd: people holds a % that is not %(name)s"),
        ("people: {fr: Non}", "odd: people is neither a text nor {en: a text, fr: …}"),
        ("title: ''", "odd: title is not a text"),
        ("automatic: maybe", "odd: automatic is neither true nor false"),
        ("automatic: true", "odd: automatic is given, but none is never so"),
        ("remedy: skip_key", "odd: words must name the limits by (?P<keys>…)"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, more: str, sentence: str) -> None:
    name = more.partition(":")[0]
    kept = [line for line in WHOLE.format(id="odd").splitlines() if f"  {name}:" not in line]
    found = sentences(tmp_path, "\n".join([*kept, f"  {more}"]))
    assert [each for each in found if each.startswith(sentence)], found


def test_every_error_is_named_at_once(tmp_path: Path) -> None:
    found = sentences(tmp_path, "- id: a\n  remedy: x\n- codes: [y]\n- id: a\n  words: 3\n")
    assert len(found) == 4
    assert "entry 2: id is missing" in found
    assert "a: id stands twice" in found


def test_an_entry_that_lacks_something_is_named(tmp_path: Path) -> None:
    found = sentences(tmp_path, "- id: odd\n  codes: [odd]\n")
    assert found == [
        f"odd: {name} is missing" for name in ("title", "operators", "fix", "people", "remedy")
    ]


def test_an_entry_that_is_never_reached_is_named(tmp_path: Path) -> None:
    found = sentences(tmp_path, WHOLE.format(id="first") + WHOLE.format(id="second"))
    assert found == ["second: never reached, as first stands before it"]


def test_no_yaml_no_list_and_no_file_are_said(tmp_path: Path) -> None:
    assert sentences(tmp_path, "a: [b")[0].startswith("no YAML")
    assert sentences(tmp_path, "a: b")[0].startswith("a list of entries is wanted")
    with pytest.raises(Unreadable, match=r"KNOWN_PROBLEMS: .* cannot be read"):
        load(str(tmp_path / "nowhere.yaml"))
