"""Files that people write: YAML of texts, each read as what its place in the file means.

Nothing is guessed from how a value looks: 010 is ten, a day stays a text, and a name that
comes twice is an error.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from .failures import Wrong

MAX_BYTES = 1_000_000


class TextLoader(yaml.BaseLoader):
    """All scalars are texts; no object is made of any tag."""


def _mapping(loader: TextLoader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, str) or name in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"“{name}” comes twice, or is no name", key.start_mark
            )
        found[name] = loader.construct_object(value, deep=True)
    return found


TextLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(name: str) -> list[dict[str, Any]]:
    """The documents of a file, "-" being standard input; raises Wrong."""
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else Path(name).read_bytes()
        text = raw.decode("utf-8-sig")
        if len(raw) > MAX_BYTES:
            raise Wrong(f"{name} is too large for a file of this kind.")
        documents = list(yaml.load_all(text, TextLoader))
    except OSError as error:
        raise Wrong(f"{name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Wrong(f"{name} is not UTF-8.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Wrong(f"{name} is no YAML.", str(error)) from error
    found = [each for each in documents if each not in (None, "")]
    if not found or not all(isinstance(each, dict) for each in found):
        raise Wrong(f"{name} says nothing: write `project:` and `lines:` into it.")
    return found


class Fields:
    """The names of one document, taken one by one; `done` refuses those that are left."""

    def __init__(self, found: dict[str, Any], where: str) -> None:
        self._left = dict(found)
        self._where = where

    def take(self, name: str, default: str | None = None) -> str:
        """A text. Raises Wrong where it is missing and has no default."""
        value = self._left.pop(name, default)
        if value is None:
            raise Wrong(f"{self._where}: `{name}:` is missing.")
        if not isinstance(value, str):
            raise Wrong(f"{self._where}: `{name}:` is one value, no list.")
        return value

    def take_whole(self, name: str, default: int | None = None) -> int:
        text = self.take(name, None if default is None else str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Wrong(f"{self._where}: `{name}:` is a whole number.")
        return int(text)

    def take_yes_no(self, name: str) -> bool:
        text = self.take(name, "false").lower()
        if text not in ("true", "false"):
            raise Wrong(f"{self._where}: `{name}:` is true or false.")
        return text == "true"

    def take_map(self, name: str) -> dict[str, Any]:
        value = self._left.pop(name, None)
        if not isinstance(value, dict) or not value:
            raise Wrong(f"{self._where}: `{name}:` is missing, or holds no names.")
        return value

    def take_list(self, name: str) -> list[Any]:
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise Wrong(f"{self._where}: `{name}:` is a list.")
        return value

    def done(self) -> None:
        if self._left:
            names = ", ".join(f"`{name}`" for name in self._left)
            raise Wrong(f"{self._where}: {names} means nothing here.")
