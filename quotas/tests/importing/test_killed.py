"""An import is killed in the middle, and run again: nothing is lost and nothing is twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.testing.servers import DatabaseCopy
from projects.models import Project
from quotas.models import ProjectHandle, Transfer
from quotas.queries.accounts import audit
from quotas.queries.verifying import verify
from quotas.tests.importing.town import PLAIN_COUNT, RULES, Town, load_site, plain_quota, taken

ROOT = Path(__file__).resolve().parents[3]
TAKEN = PLAIN_COUNT + 7  # with what is special, and can be taken over; here nothing clashes
# Where it is killed: the call that it then waits for, and how many of these went before.
PLACES = {
    "as it reads": ("compute", "GET", "/os-quota-sets/", 9),
    "before the first tag": ("identity", "PUT", "/tags/", 0),
    "before a later tag": ("identity", "PUT", "/tags/", 7),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_import_is_gone_on_with(
    place: str, town: Town, database_copy: DatabaseCopy, tmp_path: Path
) -> None:
    load_site(tmp_path)
    file = tmp_path / "answers.yaml"
    file.write_text(RULES)
    service, method, path, before = PLACES[place]
    with town.sandbox.pause(service=service, method=method, path=path, skip=before) as pause:
        with begin(database_copy, town, file) as first:
            pause.wait_until_held(60)
            first.kill()
    assert Project.objects.count() < TAKEN
    with begin(database_copy, town, file) as second:
        said, words = second.communicate(timeout=120)
    assert second.returncode == 1, words
    assert "Taken over: " in said, words
    found = taken(town)
    assert len(found) == TAKEN == Project.objects.count() == ProjectHandle.objects.count()
    # One project of the cloud each, one tag each, and the quota once.
    assert {(row[3], row[4]) for row in found.values()} == {(True, 1)}
    for number in range(PLAIN_COUNT):
        assert found[f"atlas-{number:02}"][2] == plain_quota()
    assert Transfer.objects.filter(credit__project__name="atlas-00").count() == len(plain_quota())
    people = [("Alice", "member"), ("Bob", "reader"), ("atlas-dq", "member")]
    assert found["Tagged one"][1] == people
    assert audit() == []
    assert list(verify()) == []
    with begin(database_copy, town, file) as third:
        said, words = third.communicate(timeout=120)
    assert "Nothing to do: all that can be taken over is." in said, words


def begin(copy: DatabaseCopy, town: Town, answers: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_cloud", "--mapping", str(answers)],
        cwd=ROOT,
        env=copy.environment | {"CLOUDS_YAML": str(town.sandbox.clouds_yaml)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
