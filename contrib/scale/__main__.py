"""`python -m contrib.scale --projects 5000`: import, second import, delivery and observation.

Each step is a process of its own, so that its memory is its own; what it asked of the cloud is
counted there. Prints a table of what each took, beside the least that the APIs allow.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from portal.lib.servers import ServersError, embedded_servers

from .cloud import ScaleCloud
from .numbers import REGIONS, least_to_survey, pages

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LOOKED_AT = 500
DELIVERED = 200
IMPORT, SURVEY = "import", "use of all projects"
SECRET = "of-a-site-that-lives-for-minutes"  # noqa: S105 - and holds nothing


@dataclass(frozen=True)
class Took:
    """What a step took; calls: {service: how many}; least: the same at best."""

    name: str
    seconds: float
    calls: Counter[str]
    least: Counter[str]
    peak_mib: float
    code: int


class Counting:
    """Takes the calls from the cloud's memory before that is full."""

    def __init__(self, cloud: ScaleCloud) -> None:
        self.calls: Counter[str] = Counter()
        self._cloud = cloud
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        cloud.forget_calls()
        self._thread.start()

    def end(self) -> Counter[str]:
        self._ends.set()
        self._thread.join()
        self._take()
        return self.calls

    def _run(self) -> None:
        while not self._ends.wait(1.0):
            self._take()

    def _take(self) -> None:
        # Without signing in and asking for versions, which each process does once.
        self.calls.update(
            each["service"]
            for each in self._cloud.take_calls()
            if "/auth/" not in each["path"] and "/" in each["path"].strip("/")
        )


def least(count: int) -> dict[str, Counter[str]]:
    """{step: {service: the fewest calls that its API allows}}, for all regions together."""
    survey = least_to_survey(count)
    both = len(REGIONS)
    lists = {"identity": pages(count + 1) + 2}  # projects, roles, and what roles are called
    # No list of Nova or Cinder tells limits; Neutron's does, with use from its other lists.
    limits = {"compute": count * both, "volume": count * both}
    network = {"network": survey["network"] * both}
    some, per_project = min(DELIVERED, count), {"identity": 1}
    per_project |= {"compute": both, "volume": both, "network": both}
    everything = {name: each * both for name, each in survey.items() if name != "identity"}
    return {
        "import": Counter({"identity": lists["identity"] + count, **limits, **network}),
        "second import": Counter(lists),
        # Each project is asked for once, and each target at its services read once.
        "due": Counter({"identity": count}),
        "delivery": Counter({name: each * some for name, each in per_project.items()}),
        "survey": Counter({"identity": survey["identity"], **everything}),
        "looks": Counter({"compute": min(LOOKED_AT, count * both)}),
    }


def measured(
    name: str, command: Sequence[str], environment: dict[str, str], cloud: ScaleCloud,
    at_best: Counter[str],
) -> Took:  # fmt: skip
    """Run a step to its end."""
    print(f"{name} …", flush=True)
    counting, began = Counting(cloud), time.monotonic()
    child = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment)
    _pid, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    # Linux counts in KiB.
    took = Took(
        name, seconds, counting.end(), at_best, usage.ru_maxrss / 1024,
        os.waitstatus_to_exitcode(status),
    )  # fmt: skip
    child.returncode = took.code
    print(_row(took, 1), flush=True)
    return took


def run(count: int, folder: Path, only: Collection[str] = ()) -> list[Took]:
    """only: steps by name, each of which needs the import; none: all."""
    at_best = least(count)
    manage, work = ["manage.py"], ["-m", "contrib.scale.work"]
    answers = str(HERE / "answers.yaml")
    with ExitStack() as stack:
        servers = stack.enter_context(embedded_servers(folder / "data"))
        cloud = ScaleCloud(folder, count)
        cloud.start()
        stack.callback(cloud.stop)
        environment = os.environ | {
            "DATABASE_URL": servers.database_url,
            "BROKER_URL": servers.broker_url,
            "DATA_DIR": str(folder / "data"),
            "REMIT_ENV": "development",
            "SECRET_KEY": SECRET,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "CLOUDS_YAML": str(cloud.clouds_yaml),
            "LOG_LEVEL": "ERROR",
        }
        site = ["load_catalogue", str(HERE / "site.yaml"), "--yes"]
        for command in (["migrate"], site):
            prepared = [sys.executable, *manage, *command, "--verbosity=0"]
            subprocess.run(prepared, cwd=ROOT, env=environment, check=True)
        steps = [
            (IMPORT, [*manage, "import_cloud", "--mapping", answers], "import"),
            ("second import", [*manage, "import_cloud", "--mapping", answers], "second import"),
            ("what is due after that", [*work, "deliver", "--most", "0"], "due"),
            ("all targets of 200", [*work, "deliver", "--most", str(DELIVERED)], "delivery"),
            (SURVEY, [*work, "survey"], "survey"),
            ("use of all projects, once more", [*work, "survey"], "survey"),
            ("one by one, 500 of Nova's", [*work, "look", "--most", str(LOOKED_AT)], "looks"),
        ]  # fmt: skip
        return [
            measured(name, command, environment, cloud, at_best[key])
            for name, command, key in steps
            if not only or name in only
        ]


def table(rows: Sequence[Took], count: int) -> str:
    """As docs/scale.md has it."""
    head = "| step | time | calls | calls per project | at best | peak memory |\n"
    head += "|---|---|---|---|---|---|"
    return "\n".join([head, *(_row(each, count) for each in rows)])


def _row(took: Took, count: int) -> str:
    calls, at_best = took.calls.total(), took.least.total()
    seconds = f"{took.seconds // 60:.0f} min {took.seconds % 60:.0f} s"
    failed = "" if took.code == 0 else f" (exit {took.code})"
    return (
        f"| {took.name}{failed} | {seconds} | {calls:,} | {calls / count:.3f} | "
        f"{at_best:,} ({at_best / count:.3f}) | {took.peak_mib:.0f} MiB |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m contrib.scale", description=__doc__)
    parser.add_argument("--projects", type=int, default=200)
    options = parser.parse_args()
    if options.projects < 1:
        parser.error("--projects is 1 at least")
    with tempfile.TemporaryDirectory(prefix="remit-scale-") as name:
        folder = Path(name)
        # Not closed to the servers' own user where we are root.
        folder.chmod(0o711)
        try:
            rows = run(options.projects, folder)
        except (ServersError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"It could not run: {error}", file=sys.stderr)
            return 2
    print(f"\n{options.projects:,} projects in {len(REGIONS)} regions\n\n"
          f"{table(rows, options.projects)}")  # fmt: skip
    for row in rows:
        print(f"{row.name}: {dict(row.calls)}; at best {dict(row.least)}")
    return max(each.code for each in rows)


if __name__ == "__main__":
    sys.exit(main())
