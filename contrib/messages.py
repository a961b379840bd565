"""Words for translators: `make messages` gathers them, and every install compiles them.

`update` brings each locale/<language>/LC_MESSAGES/django.po up to date with the strings in
code and pages; `compile` makes what Django reads, where it is missing or older. Both with
Babel, so that no gettext of the system is needed.
"""

import ast
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "locale"
PLACES = ("projects", "quotas", "portal", "contrib")
PROBLEMS = ROOT / "quotas" / "problems" / "known.yaml"
# Their words are not shown to people.
SILENT = {"tests", "testing", "migrations", "clouds"}
SINGLE, PLURAL, CONTEXT = None, (1, 2), ((1, "c"), 2)
KEYWORDS = {
    "_": SINGLE,
    "_lazy": SINGLE,
    "_noop": SINGLE,
    "gettext": SINGLE,
    "gettext_lazy": SINGLE,
    "gettext_noop": SINGLE,
    "ngettext": PLURAL,
    "ngettext_lazy": PLURAL,
    "pgettext": CONTEXT,
    "pgettext_lazy": CONTEXT,
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w[\w.]*\)[sd]|%[sd](?!\w)|%%|\{\w*\}|</?\w+[^>]*>")
PYTHON_FORMAT = re.compile(r"%(?:\(|[sd](?!\w))")


class Found(NamedTuple):
    """One string: where it stands, itself (two of it where it counts), and its context."""

    place: str
    words: str | tuple[str, ...]
    context: str | None


def main() -> None:
    match sys.argv[1:]:
        case ["update"]:
            template = gathered()
            for path in catalogues():
                update(path, template)
        case ["compile"]:
            for path in catalogues():
                compile_stale(path)
        case _:
            sys.exit("messages: say `update` or `compile`.")


def catalogues() -> list[Path]:
    """The .po files, one a language."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    """What stands in a .po file; its language is the name of its folder."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name)


def gathered() -> Catalog:
    """Every string of ours that is shown to people, without a translation."""
    template = Catalog(project="Remit", charset="utf-8")
    for found in strings():
        template.add(found.words, locations=[(found.place, 0)], context=found.context)
    for message in template:
        # Babel takes the "% d" of "80 % done" for a placeholder.
        if not any(PYTHON_FORMAT.search(words) for words in forms(message.id)):
            message.flags.discard("python-format")
    return template


def strings() -> Iterator[Found]:
    for path in sources():
        place = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        if path.suffix == ".py":
            found = in_python(text)
        elif path == PROBLEMS:
            found = in_problems(text)
        elif path.suffix == ".jinja":
            found = in_compiled(text)
        else:
            found = in_template(text, place)
        for words, context in found:
            yield Found(place, words, context)


def in_python(text: str) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """The strings written out in calls of gettext; Babel would take any that stand within."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: call.lineno):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in KEYWORDS:
            continue
        given = [
            each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else ""
            for each in node.args
        ]
        context = given.pop(0) if "pgettext" in name else None
        words = tuple(given[:2]) if "ngettext" in name or "npgettext" in name else given[0]
        if all(forms(words)):
            yield words, context


def in_template(text: str, place: str) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """The calls of gettext that a template's tags stand for, one on each line."""
    calls = templatize(text, origin=place)
    code = io.BytesIO("\n".join(line.strip() for line in calls.splitlines()).encode())
    for _line, words, _comments, context in extract("python", code, keywords=KEYWORDS):
        yield words, context


def in_compiled(text: str) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """The calls of gettext in a template of the compiled engine."""
    for _line, words, _comments, context in extract(
        "jinja2", io.BytesIO(text.encode()), keywords=KEYWORDS
    ):
        yield words, context


def in_problems(text: str) -> Iterator[tuple[str, None]]:
    """What is known of errors is told in the reader's language too."""
    for entry in yaml.safe_load(text):
        for field in ("title", "people", "operators", "fix"):
            said = entry[field]
            yield (said["en"] if isinstance(said, dict) else said).strip(), None


def sources() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            if SILENT.isdisjoint(path.relative_to(ROOT).parts):
                yield path
    yield PROBLEMS
    yield from sorted((ROOT / "templates").rglob("*.*"))


def forms(words: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Singular and plural of a message's id or string, or the one that it has."""
    return (words,) if isinstance(words, str) else tuple(words)


def placeholders(words: str) -> list[str]:
    """What is filled in later, and tags, sorted: these must agree with the translation's."""
    return sorted(PLACEHOLDER.findall(words))


def disagreements(catalogue: Catalog) -> Iterator[tuple[str, str]]:
    """Translations that fill in something else than their string, with that string.

    A singular may leave its count out, as "one more" does.
    """
    for message in catalogue:
        if not message.id:
            continue
        *singular, most = (placeholders(words) for words in forms(message.id))
        for number, words in enumerate(forms(message.string or "")):
            said = placeholders(words)
            if said == most or (singular and number == 0 and set(said) <= set(most)) or not words:
                continue
            yield forms(message.id)[0], words


def is_translated(message: Message) -> bool:
    said = message.string
    return bool(said) and all(forms(said or "")) and not message.fuzzy


def update(path: Path, template: Catalog) -> None:
    """Add what is new, drop what is gone, keep what is translated; guess nothing."""
    catalogue = read(path)
    made, revised = catalogue.creation_date, catalogue.revision_date
    catalogue.update(template, no_fuzzy_matching=True)
    # Git knows when: a date here would make a change of every run.
    catalogue.creation_date, catalogue.revision_date = made, revised
    catalogue.fuzzy = False
    text = io.BytesIO()
    write_po(text, catalogue, width=100, ignore_obsolete=True, include_lineno=False)
    if text.getvalue() != path.read_bytes():
        path.write_bytes(text.getvalue())
    messages = [message for message in catalogue if message.id]
    left = sum(not is_translated(message) for message in messages)
    print(f"{path.relative_to(ROOT)}: {len(messages)} strings, {left} to translate.")


def compile_stale(path: Path) -> bool:
    """Make the .mo beside a .po, unless it is newer already; whether it was made."""
    compiled = path.with_suffix(".mo")
    if compiled.exists() and compiled.stat().st_mtime_ns >= path.stat().st_mtime_ns:
        return False
    # Put in place whole: a web server, or another install, may be at work here.
    half = compiled.with_suffix(f".{os.getpid()}.new")
    with half.open("wb") as file:
        write_mo(file, read(path))
    half.replace(compiled)
    return True


if __name__ == "__main__":
    main()
