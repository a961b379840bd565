"""`make help` explains every target, and each target first installs what it needs."""

import re
import subprocess

from portal.tests.conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE)


def test_help_explains_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    explained = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", said, re.MULTILINE))
    assert sorted(explained) == sorted(TARGETS)
    assert {"run", "test", "test-system", "check", "cloud", "help"} <= set(TARGETS)


def test_plain_make_is_help() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("  make help")


def test_target_that_uses_the_venv_installs_it_first() -> None:
    rules = re.findall(r"^([a-z-]+):([^\n]*)\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    using = {name: needs for name, needs, recipe in rules if "$(BIN)/" in recipe}
    assert using
    assert [name for name, needs in using.items() if " install" not in needs] == []
