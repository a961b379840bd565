"""The verbs of the record: what the code writes, what is documented, what webhooks call them."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from projects.outgoing.event_types import TYPES
from projects.verbs import VERBS

ROOT = Path(__file__).parents[2]
WRITERS = {"record", "record_each", "record_many", "event_of"}
# Functions of a module that hand the verb on to these, as they were given it.
HELPERS = {"_record", "_note", "note", "note_change", "_make", "tell_people"}
# Verbs that are the state a target came to (quotas/delivery/outcomes.py).
STATES = {"applied", "retrying", "refused"}


def written() -> set[str]:
    """Every verb that the code can write."""
    found = set(STATES)
    for folder in ("projects", "quotas"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "tests" not in file.parts and "migrations" not in file.parts:
                found |= set(_verbs_of(file))
    return found


def _verbs_of(file: Path) -> Iterator[str]:
    text = file.read_text()
    if not any(f"{name}(" in text for name in WRITERS | HELPERS):
        return
    module: ModuleType | None = None
    # The helper of this module translates what it is given by a table of its own.
    is_translated = "record(\n        PAST[verb]" in text
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in WRITERS and node.args:
            if module is None and _names(node.args[0]):
                module = importlib.import_module(
                    ".".join(file.relative_to(ROOT).with_suffix("").parts)
                )
            yield from _texts(node.args[0], module)
        elif name in HELPERS and not is_translated:
            for each in node.args:
                yield from _texts(each, None)


def _names(node: ast.AST) -> list[str]:
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.id.isupper()]


def _texts(node: ast.AST, module: ModuleType | None) -> Iterator[str]:
    """The texts that an expression can be: of its branches, its table, a constant."""
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body, module)
        yield from _texts(node.orelse, module)
    elif isinstance(node, ast.Subscript):
        yield from _texts(node.value, module)
    elif isinstance(node, ast.Dict):
        for each in node.values:
            yield from _texts(each, module)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and module is not None and node.id.isupper():
        value: Any = getattr(module, node.id)
        yield from value.values() if isinstance(value, dict) else [value]


def test_every_verb_that_is_written_has_a_meaning_and_no_other_is_told_of() -> None:
    assert written() == set(VERBS)


def test_the_document_of_verbs_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "events.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{verb}` | {meaning} |" for verb, meaning in VERBS.items()]


def test_webhooks_go_by_the_verbs_of_the_record() -> None:
    assert {verb for _kind, verb in TYPES.values()} - set(VERBS) == set()
