"""The notes of a soak: what was sent is known also where no answer ever came."""

from pathlib import Path

from contrib.soak.notes import Fate, Note, Notes, read_notes


def test_what_was_answered_is_read_as_it_was_told(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    note = Note("m1", "approve", "dora", request=4, granted={9: 2**40})
    notes.sent(note)
    note.fate, note.status, note.answer_id = Fate.ACCEPTED, 200, 17
    notes.answered(note)
    notes.close()
    assert read_notes(tmp_path / "notes") == {"m1": note}


def test_what_has_no_answer_is_of_unknown_fate(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    notes.sent(Note("m1", "ask", "alma"))
    notes.close()
    assert read_notes(tmp_path / "notes")["m1"].fate is Fate.UNKNOWN
