"""What a directory of people and groups is to Remit; knows no model and no setting.

Everything is read in pages. A reading that ends without an exception is complete: whoever is not
in it is not in the directory. All else (an error, a limit of the server, a part that lies
elsewhere) raises DirectoryFailed, and says nothing about who is missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class DirectoryFailed(Exception):
    """The answer is not there, or not whole; the text is for operators."""


@dataclass(frozen=True)
class PersonEntry:
    """A person. `key`: by what the directory's own entries point at each other.

    `subject` is what sign-in calls them too. `supervisor` is another person's key, "" for none.
    """

    key: str
    subject: str
    name: str = ""
    mail: str = ""
    supervisor: str = ""


@dataclass(frozen=True)
class GroupEntry:
    """A group. `external_id` is what the groups claim of sign-in calls it too."""

    key: str
    external_id: str
    name: str = ""


class Directory(Protocol):
    """One connection to a directory; a context manager, that is opened as it is entered."""

    def people(self) -> Iterator[Sequence[PersonEntry]]:
        """Everybody who is here, page by page."""
        ...

    def groups(self) -> Iterator[Sequence[GroupEntry]]:
        """Every group, page by page, without its members."""
        ...

    def members(self, group: GroupEntry) -> Iterator[Sequence[str]]:
        """The keys of the people in a group, page by page; also of people who are not listed."""
        ...

    def __enter__(self) -> "Directory": ...

    def __exit__(self, *args: object) -> None: ...
