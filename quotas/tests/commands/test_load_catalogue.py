"""load_catalogue shows what it would store, asks, and names lines that are wrong."""

import io
from pathlib import Path

import pytest

from projects.models import Event
from quotas.models import Region
from quotas.tests.catalogue.sample import SITE
from quotas.tests.commands.saying import refusal, run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def test_load_catalogue_shows_and_stores(db: None, file: Path) -> None:
    said = run("load_catalogue", str(file), "--yes")

    assert "+ offering geneva.ca.vcpu: against nova-geneva cores" in said
    assert "+ project reco: in EP/ATLAS, alice owner, dq reader" in said
    assert Region.objects.count() == 1


def test_load_catalogue_twice_has_nothing_to_do(db: None, file: Path) -> None:
    run("load_catalogue", str(file), "--yes")

    assert run("load_catalogue", str(file), "--yes") == "Nothing to do: all is as the file says.\n"


def test_load_catalogue_dry_run_stores_nothing(db: None, file: Path) -> None:
    said = run("load_catalogue", str(file), "--dry-run")

    assert said.endswith("Nothing was stored (--dry-run).\n")
    assert not Region.objects.exists()
    assert not Event.objects.exists()


def test_load_catalogue_asks_nobody_without_a_terminal(
    db: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert refusal("load_catalogue", str(file)) == (
        "Nobody can be asked here; say --yes to store this."
    )
    assert not Region.objects.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "count"), [("y", 1), ("yes", 1), ("", 0), ("no", 0)])
def test_load_catalogue_asks(
    db: None, file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, count: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    if count:
        run("load_catalogue", str(file))
    else:
        assert refusal("load_catalogue", str(file)) == "Nothing was stored."

    assert Region.objects.count() == count


def test_load_catalogue_names_lines(db: None, file: Path) -> None:
    file.write_text(SITE.replace("owners: alice", "owners: eve"))
    line = SITE[: SITE.index("owners:")].count("\n") + 1

    assert refusal("load_catalogue", str(file), "--yes") == (
        f"Nothing was loaded; {file} says what cannot be:\n"
        f"  line {line}: eve is not among people; there is alice, bob."
    )


def test_load_catalogue_of_no_file(db: None, tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"

    assert refusal("load_catalogue", str(missing)) == (
        f"{missing} cannot be read: No such file or directory."
    )


def test_load_catalogue_of_another_encoding(db: None, file: Path) -> None:
    file.write_bytes(b"units:\n  ep: Pr\xe9vessin\n")

    assert refusal("load_catalogue", str(file)) == f"{file}, line 2: the file is not UTF-8."
