"""The answers' file is written whole, and over nobody's edits."""

from pathlib import Path

import pytest

from quotas.importing.files import AnswersFile


def test_what_somebody_wrote_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    assert AnswersFile(str(file)).write("one\n") == file
    begun = AnswersFile(str(file))
    file.write_text("by hand\n")
    assert begun.write("two\n") == tmp_path / "answers.new.yaml"
    assert AnswersFile(str(file)).write("three\n") == file
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "answers.yaml": "three\n", "answers.new.yaml": "two\n",
    }  # fmt: skip


def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("before\n")
    begun = AnswersFile(str(file))
    (tmp_path / "answers.yaml.part").mkdir()
    with pytest.raises(OSError, match="directory"):
        begun.write("cut")
    assert file.read_text() == "before\n"
