"""The projects that tests leave in services which others use, too: deleted, so none gather.

Who comes first notes which projects are there; who leaves last deletes those that came since
and are named as tests name theirs. A run that was killed leaves its note, and so what it made
goes with the next run.
"""

import json
import re
import warnings
from pathlib import Path

from contrib.testing.plain import PlainClient

# Tests make names of their own from an id; what people call theirs is left alone.
_OF_A_TEST = re.compile(r"[0-9a-f]{8}")


class Leftovers:
    """Of one Keystone; `note` is the file that outlives the process."""

    def __init__(self, note: Path, clouds_yaml: Path, cloud: str) -> None:
        self._note = note
        self._login = (clouds_yaml, cloud)

    def remember(self) -> None:
        """Note what is there before the tests, unless a run of before was not cleared up."""
        if self._note.exists():
            return
        ids = [row["id"] for row in PlainClient(*self._login).projects()]
        new = self._note.with_suffix(".new")
        new.write_text(json.dumps(ids))
        new.replace(self._note)

    def clear(self) -> None:
        """Delete what came since. What cannot be deleted is a warning, and tried by the next run.

        Raises RuntimeError where Keystone deletes none at all: then they would gather.
        """
        try:
            refused, count = self._delete_all()
        except OSError as error:
            _warn(f"Keystone could not be asked: {error}")
            return
        if count and len(refused) == count:
            raise RuntimeError(f"Keystone deletes none of {count} projects of tests: {refused[0]}")
        if refused:
            _warn(f"{len(refused)} of {count}, the first: {refused[0]}")
            return
        self._note.unlink(missing_ok=True)

    def _delete_all(self) -> tuple[list[str], int]:
        """What was answered where one was refused, and how many there were."""
        plain = PlainClient(*self._login)
        before = set(json.loads(self._note.read_text()))
        found = [
            row
            for row in plain.projects()
            if row["id"] not in before and _OF_A_TEST.search(row["name"])
        ]
        refused = []
        for row in found:
            reply = plain.call("DELETE", "identity", f"/projects/{row['id']}")
            if reply.status not in (204, 404):
                refused.append(f"{row['name']}: {reply.status} {reply.body}")
        return refused, len(found)


def _warn(words: str) -> None:
    warnings.warn(f"Projects of tests are left in Keystone. {words}", stacklevel=3)
