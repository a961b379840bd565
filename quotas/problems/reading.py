"""From the text of a file of known problems to its entries, or to everything wrong with it.

An error names the file, the entry and the field, so that it can be found without a trace.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

# Whether a remedy may go without a click is the site's word for these alone: `wait` and
# `reread` change nothing, and the others need somebody's judgement each time.
BY_WORD = ("recreate", "skip_key")
BY_NATURE = ("wait", "reread")
REMEDIES = (*BY_NATURE, *BY_WORD, "adopt", "none")
TEXTS = ("title", "operators", "fix")
LISTS = ("codes", "drivers")
FIELDS = ("id", *LISTS, "words", *TEXTS, "people", "remedy", "automatic")
REQUIRED = (*TEXTS, "people", "remedy")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

Entry = dict[str, Any]


class Unreadable(ValueError):
    """The file cannot be used; `sentences` name each entry and field that is wrong."""

    def __init__(self, sentences: Sequence[str]) -> None:
        self.sentences = list(sentences)
        super().__init__("; ".join(self.sentences))


def read(text: str, source: str) -> list[Entry]:
    """The entries as they stand, each field of the right kind. `source` is for the errors."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Unreadable([f"{source}: no YAML: {' '.join(str(error).split())}"]) from error
    if found is None:
        return []
    if not isinstance(found, list):
        raise Unreadable([f"{source}: a list of entries is wanted, each beginning with “- id:”"])
    wrong: list[str] = []
    seen: set[str] = set()
    for number, entry in enumerate(found, 1):
        where = f"{source}, entry {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            wrong.append(f"{where}: id is missing")
            continue
        where = f"{source}, {entry['id']}"
        if entry["id"] in seen:
            wrong.append(f"{where}: id stands twice")
        seen.add(entry["id"])
        wrong += [f"{where}: {each}" for each in _wrong_fields(entry)]
    if wrong:
        raise Unreadable(wrong)
    return found


def merge(ours: Sequence[Entry], theirs: Sequence[Entry], source: str) -> list[Entry]:
    """The site's new entries, then ours with the fields that the site changed.

    Raises Unreadable where an entry is not complete then, or where none could reach it.
    """
    changes = {each["id"]: each for each in theirs}
    known = {each["id"] for each in ours}
    merged = [each for each in theirs if each["id"] not in known]
    merged += [{**each, **changes.get(each["id"], {})} for each in ours]
    wrong = [f"{source}, {each['id']}: {what}" for each in merged for what in _wrong_whole(each)]
    if wrong:
        raise Unreadable(wrong)
    wrong = [
        f"{source}, {late['id']}: never reached, as {early['id']} stands before it"
        for place, late in enumerate(merged)
        for early in merged[:place]
        # A site may put an entry of its own before one of ours: that is what it is for.
        if _covers(early, late) and (early["id"] in known) == (late["id"] in known)
    ]
    if wrong:
        raise Unreadable(wrong)
    return merged


def _wrong_fields(entry: Mapping[str, Any]) -> list[str]:
    """What is wrong with the fields that are given."""
    wrong = [f"{name} is no field; there are {', '.join(FIELDS)}" for name in sorted(
        str(each) for each in set(entry) - set(FIELDS)
    )]  # fmt: skip
    if not _ID.fullmatch(entry["id"]):
        wrong.append("id has small letters, digits and hyphens only")
    for name in LISTS:
        wrong += _wrong_list(entry, name)
    for name in (*TEXTS, "words"):
        if name in entry and not _is_text(entry[name]):
            wrong.append(f"{name} is not a text")
    if "people" in entry:
        wrong += _wrong_people(entry["people"])
    if "remedy" in entry and entry["remedy"] not in REMEDIES:
        wrong.append(f"remedy is {entry['remedy']!r}, none of {', '.join(REMEDIES)}")
    if "automatic" in entry and not isinstance(entry["automatic"], bool):
        wrong.append("automatic is neither true nor false")
    return wrong + _wrong_pattern(entry.get("words"))


def _wrong_whole(entry: Mapping[str, Any]) -> list[str]:
    """What an entry lacks, or what in it does not go together."""
    wrong = [f"{name} is missing" for name in REQUIRED if name not in entry]
    if not any(entry.get(name) for name in (*LISTS, "words")):
        wrong.append("codes is missing: it would match everything")
    if wrong:
        return wrong
    if "automatic" in entry and entry["remedy"] not in BY_WORD:
        wrong.append(
            f"automatic is given, but {entry['remedy']} is "
            + ("always so" if entry["remedy"] in BY_NATURE else "never so")
        )
    if entry["remedy"] == "skip_key" and "(?P<keys>" not in entry.get("words", ""):
        wrong.append("words must name the limits by (?P<keys>…), as remedy is skip_key")
    return wrong


def _covers(early: Mapping[str, Any], late: Mapping[str, Any]) -> bool:
    """Whether everything that `late` matches is matched by `early`, as far as can be told."""
    if early.get("words") and early.get("words") != late.get("words"):
        return False
    return all(
        not early.get(name) or (late.get(name) and set(late[name]) <= set(early[name]))
        for name in LISTS
    )


def _wrong_list(entry: Mapping[str, Any], name: str) -> list[str]:
    if name not in entry:
        return []
    values = entry[name]
    if not isinstance(values, list) or not all(
        isinstance(each, str) and _NAME.fullmatch(each) for each in values
    ):
        return [f"{name} is not a list of names"]
    return []


def _wrong_people(people: object) -> list[str]:
    texts = people if isinstance(people, dict) else {"en": people}
    if not all(_is_text(each) for each in texts.values()) or "en" not in texts:
        return ["people is neither a text nor {en: a text, fr: …}"]
    if any("%" in str(each).replace("%(name)s", "").replace("%%", "") for each in texts.values()):
        return ["people holds a % that is not %(name)s; write %% for the sign itself"]
    return []


def _wrong_pattern(words: object) -> list[str]:
    try:
        re.compile(words if isinstance(words, str) else "")
    except re.error as error:
        return [f"words is no regular expression: {error}"]
    return []


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
