"""The file that answers are written to: whole or not at all, and over nobody's edits."""

import os
from pathlib import Path


class AnswersFile:
    """A file as it was when a run began: the run may take hours, and people edit meanwhile."""

    def __init__(self, name: str) -> None:
        self.path = Path(name).resolve()
        self.before = self._content()

    def _content(self) -> bytes | None:
        """What it holds; None where it is no file yet."""
        return self.path.read_bytes() if self.path.is_file() else None

    def write(self, text: str) -> Path:
        """Where it was written: beside, as *.new.yaml, where it was changed. Raises OSError."""
        path = self.path
        if self._content() != self.before:
            path = path.with_name(f"{path.stem}.new.yaml")
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # a terminal, or a pipe
            return path
        part = path.with_name(f"{path.name}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
        return path
