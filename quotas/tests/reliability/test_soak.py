"""One minute of the soak: decisions go on while everything is killed and fails at random."""

import json
import os
import subprocess
import sys
from pathlib import Path

from contrib.soak.schedule import FAULTS, KILLS

ROOT = Path(__file__).resolve().parents[3]
OWN = ("DATABASE_URL", "BROKER_URL", "DATA_DIR", "CLOUDS_YAML", "SECRET_KEY")


def test_a_minute_of_kills_and_faults_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    done = subprocess.run(
        [sys.executable, "-m", "contrib.soak", "--minutes", "1", "--json", str(figures)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout[-6000:] + done.stderr[-3000:]
    assert done.returncode == 0, said
    found = json.loads(figures.read_text())
    assert found["differences"] == []
    assert [kind for kind in KILLS if found["kills"][kind] == 0] == []
    assert [kind for kind in FAULTS if found["faults"][kind] == 0] == []
    assert found["hits"], said
    # Not how many: that is a question of the machine.
    for what in ("asks accepted", "decisions accepted", "decisions refused: stale"):
        assert found["people"].get(what, 0) > 0, said
    assert found["writes"] > 0
    assert found["claims"] > 0
    assert found["projects"] > 4
    assert found["compared"]["limits in the cloud"] > 0
