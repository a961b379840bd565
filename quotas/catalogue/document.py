"""A YAML file as nodes that know their line, read by hands that name what is wrong.

Only mappings, lists and texts: no tags, no anchors, no merge keys, every scalar as it is
written. So "yes", "1e3" and "2026-11-01" are never turned into something else.
"""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .problems import Problem, Problems, Refused

MAX_BYTES = 8 * 2**20
MAX_NESTING = 40
TOP = "the file"


def compose(text: str, problems: Problems) -> "Block":
    """The file's top mapping. Raises Refused where it is no such thing at all."""
    if len(text.encode()) > MAX_BYTES:
        raise Refused([Problem(1, f"the file is larger than {MAX_BYTES // 2**20} MiB.")])
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except _NotAllowed as error:
        raise Refused([Problem(error.line, error.sentence)]) from None
    except yaml.MarkedYAMLError as error:
        raise Refused([_unreadable(error, text)]) from None
    except (yaml.reader.ReaderError, RecursionError) as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise Refused([Problem(line, "this is not text that YAML allows.")]) from None
    if node is None:
        raise Refused([Problem(1, "the file is empty.")])
    if not isinstance(node, MappingNode):
        raise Refused([Problem(1, "the file must be made of sections, each a name and a colon.")])
    return Block.of(node, TOP, problems)


class _NotAllowed(Exception):
    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


class _Loader(yaml.SafeLoader):
    """Composes nodes only, and no alias, so that a small file cannot grow."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: yaml.Event = self.peek_event()
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _NotAllowed(line, "anchors and aliases (& and *) are not read; write it out.")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise _NotAllowed(line, "tags (!) are not read; write plain values.")
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise _NotAllowed(line, f"more than {MAX_NESTING} levels of nesting.")
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _unreadable(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark else 1
    lines = text.splitlines()
    written = lines[number - 1] if number <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or "'\\t'" in str(error.problem):
        return Problem(number, "a tab: YAML is indented with spaces.")
    return Problem(number, f"this is not YAML: {error.problem or error.context}.")


@dataclass(frozen=True)
class Text:
    """A scalar as it is written."""

    value: str
    line: int

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Value:
    """Anything that stands behind a key, not yet read. `what` is how sentences call it."""

    node: Node
    what: str
    problems: Problems

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, ScalarNode) and not self.is_empty

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, SequenceNode)

    @property
    def is_empty(self) -> bool:
        """Nothing was written behind the colon."""
        return isinstance(self.node, ScalarNode) and not self.node.value and not self.node.style

    def text(self, *, most: int = 500) -> Text | None:
        """The text, or None with a problem."""
        if not isinstance(self.node, ScalarNode) or self.is_empty:
            self.problems.add(self.line, f"{self.what} must be a text.")
            return None
        value = self.node.value.strip()
        if len(value) > most:
            self.problems.add(self.line, f"{self.what} is longer than {most} characters.")
            return None
        if not all(char.isprintable() or char == "\n" for char in value):
            self.problems.add(self.line, f"{self.what} holds characters that cannot be seen.")
            return None
        return Text(value, self.line)

    def items(self) -> list["Value"]:
        """The entries of a list; one text alone counts as a list of one."""
        if self.is_empty:
            return []
        if self.is_text:
            return [self]
        if not isinstance(self.node, SequenceNode):
            self.problems.add(self.line, f"{self.what} must be a list.")
            return []
        return [Value(each, f"an entry of {self.what}", self.problems) for each in self.node.value]

    def block(self) -> "Block":
        """The mapping; with a problem, an empty one, where it is something else."""
        if self.is_empty:
            return Block({}, self.what, self.line, self.problems)
        if not isinstance(self.node, MappingNode):
            self.problems.add(self.line, f"{self.what} must be a list of names with a colon each.")
            return Block({}, self.what, self.line, self.problems)
        return Block.of(self.node, self.what, self.problems)

    def named_block(self) -> "Block":
        """A block; a bare text stands for a block with that name."""
        if self.is_text:
            return Block(
                {"name": (self.line, Value(self.node, f"name of {self.what}", self.problems))},
                self.what, self.line, self.problems,
            )  # fmt: skip
        return self.block()


@dataclass
class Block:
    """A mapping whose keys are texts. Read what is known, then say `done`."""

    values: dict[str, tuple[int, Value]]
    what: str
    line: int
    problems: Problems

    @classmethod
    def of(cls, node: MappingNode, what: str, problems: Problems) -> "Block":
        values: dict[str, tuple[int, Value]] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or not key.value:
                problems.add(line, f"a name in {what} must be a plain text.")
            elif key.value in values:
                first = values[key.value][0]
                problems.add(line, f"{key.value} is in {what} twice, first on line {first}.")
            else:
                called = key.value if what == TOP else f"{key.value} of {what}"
                values[key.value] = (line, Value(value, called, problems))
        return cls(values, what, node.start_mark.line + 1, problems)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def entries(self) -> Iterator[tuple[Text, Value]]:
        """Every (key, value), where the keys are names that the file chooses."""
        for key, (line, value) in self.values.items():
            yield Text(key, line), value

    def get(self, key: str) -> Value | None:
        """What stands behind a key; None where it is absent or empty."""
        line_and_value = self.values.get(key)
        return None if line_and_value is None or line_and_value[1].is_empty else line_and_value[1]

    def line_of(self, key: str) -> int:
        return self.values[key][0] if key in self.values else self.line

    def require(self, key: str) -> Value | None:
        """As `get`, with a problem where there is nothing."""
        value = self.get(key)
        if value is None:
            self.problems.add(self.line_of(key), f"{self.what} needs {key}.")
        return value

    def text(self, key: str, default: str = "", *, most: int = 500) -> str:
        value = self.get(key)
        found = value.text(most=most) if value else None
        return default if found is None else found.value

    def known(self, names: Collection[str]) -> None:
        """A problem for every key that is none of these, with the nearest one."""
        for key, (line, __) in self.values.items():
            if key not in names:
                self.problems.add(line, f"{self.what} knows no {key}{nearest(key, names)}")


def nearest(word: str, names: Collection[str]) -> str:
    """The end of a sentence: the name that was probably meant, or what there is."""
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    listed = ", ".join(sorted(names)[:12])
    return f"; there is {listed}." if listed else "; there is none."


def day(text: Text, problems: Problems) -> date | None:
    """A date written like 2026-11-01, or None with a problem."""
    try:
        return date.fromisoformat(text.value)
    except ValueError:
        problems.add(text.line, f"{text.value} is no day; write it like 2026-11-01.")
        return None
