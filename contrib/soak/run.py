"""One soak from its first server to its verdict."""

import heapq
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

from contrib.soak import compare, records
from contrib.soak.clouds import CLOUDS, SoakCloud
from contrib.soak.figures import Figures
from contrib.soak.notes import Notes, read_notes
from contrib.soak.people import Asker, Crowd, Decider, Person
from contrib.soak.schedule import Act, Fault, Kill, NewProject, Use, schedule
from contrib.soak.site import (
    ASKERS,
    DECIDERS,
    FIRST_PROJECTS,
    PASSWORD,
    project_name,
    write_site,
)
from contrib.soak.stack import ROOT, Part, Stack
from contrib.soak.watch import Watcher
from portal.lib.servers import embedded_servers
from portal.lib.servers.process import tail

SETTLE_SECONDS = 180.0
PROGRESS_SECONDS = 10.0
AGAIN_SECONDS = 0.5
ROUNDS_SECONDS = 1.0
Say = Callable[[str], None]


class Soak:
    """The run itself. Not reusable."""

    def __init__(self, stack: Stack, cloud: SoakCloud, figures: Figures, folder: Path, say: Say):
        self.stack = stack
        self.cloud = cloud
        self.figures = figures
        self.say = say
        self._folder = folder
        self._notes_file = folder / "notes.jsonl"
        self._database_url = stack.servers.database_url
        self._project_count = 0
        self._loading: Part | None = None
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._began = 0.0
        # By name: what is down and will be started again.
        self._down: set[str] = set()

    # --- Before ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Cloud, tables, the site, its funds; then web, workers and beat."""
        self.stack.start_cloud()
        self._write_site(FIRST_PROJECTS)
        self.stack.finish(self.stack.run("prepare", "contrib.soak.site", str(self._site_file)))
        self.stack.start()

    @property
    def _site_file(self) -> Path:
        return self._folder / "site.json"

    def _write_site(self, projects: int) -> None:
        self._project_count = projects
        write_site(
            self._site_file, projects=projects, prefix=self.cloud.prefix, cloud=self.cloud.cloud,
            regions=self.cloud.regions, volume_types=self.cloud.volume_types,
        )  # fmt: skip

    # --- While it runs -----------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """People work, a watcher watches, and everything is killed and fails by the schedule."""
        notes = Notes(self._notes_file)
        crowd = Crowd(self.stack.url, notes, self.figures, self.cloud.regions, self.figures.seed)
        crowd.projects += [project_name(each, self.cloud.prefix) for each in range(FIRST_PROJECTS)]
        people: list[Person] = [Asker(crowd, name, (0.1, 0.5)) for name in ASKERS]
        people += [Decider(crowd, name, (0.05, 0.35)) for name in DECIDERS]
        for person in people:
            person.door.sign_in(person.name, PASSWORD)
        watcher = Watcher(self._database_url, self.cloud, self.figures)
        for thread in (*people, watcher):
            thread.start()
        try:
            self._havoc(crowd, seconds)
            crowd.stopping.set()
            for person in people:
                person.join(60)
            self._heal()
        finally:
            crowd.stopping.set()
            watcher.stopping.set()
        watcher.join(60)
        notes.close()
        self.figures.differences += [*crowd.crashes, *watcher.crashes, *watcher.false_claims]
        stuck = [thread.name for thread in (*people, watcher) if thread.is_alive()]
        self.figures.differences += [f"{name} did not come to an end" for name in stuck]

    def _havoc(self, crowd: Crowd, seconds: float) -> None:
        self._began = time.monotonic()
        for act in schedule(self.figures.seed, seconds, regions=len(self.cloud.regions)):
            self._at(act.at, self._doing(act, crowd))
        for at in range(0, int(seconds), int(PROGRESS_SECONDS)):
            self._at(at, self._tell)
        self._at(ROUNDS_SECONDS, self._make_rounds)
        while True:
            now = time.monotonic() - self._began
            if now >= seconds:
                return
            if self._acts and self._acts[0][0] <= now:
                heapq.heappop(self._acts)[2]()
            else:
                time.sleep(0.02)

    def _at(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._acts, (at, next(self._order), act))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._at(time.monotonic() - self._began + seconds, act)

    def _tell(self) -> None:
        self.say(self.figures.progress(time.monotonic() - self._began))

    def _make_rounds(self) -> None:
        """Start again what ended by itself, as whoever runs Remit would; it is a difference."""
        for part in self.stack.fallen():
            self.figures.differences.append(f"the {part.name} ended by itself: {tail(part.log, 1)}")
            part.start()
        self._after(ROUNDS_SECONDS, self._make_rounds)

    def _doing(self, act: Act, crowd: Crowd) -> Callable[[], None]:
        match act:
            case Kill():
                return lambda: self._kill(act)
            case Fault():
                return lambda: self._fail(act)
            case NewProject():
                return lambda: self._add_project(crowd)
            case Use():
                return lambda: self.cloud.use(
                    crowd.projects[int(act.pick * len(crowd.projects))], act
                )

    def _kill(self, act: Kill) -> None:
        """At once, or as soon as there is something of the kind to kill."""
        if act.what == "cloud":
            self.cloud.gather()
        start_again = None
        if act.what.replace("postmaster", "database") not in self._down:
            start_again = self.stack.kill(act.what, act.pick)
        if start_again is None:
            self._after(AGAIN_SECONDS, lambda: self._kill(act))
            return
        self.figures.kills[act.what] += 1
        name = act.what.replace("postmaster", "database")
        if name in ("database", "broker"):
            self._down.add(name)

        def bring_back() -> None:
            start_again()
            self._down.discard(name)

        self._after(act.pause, bring_back)

    def _fail(self, fault: Fault) -> None:
        end = self.cloud.fail(fault)
        if end is None:
            self._after(AGAIN_SECONDS, lambda: self._fail(fault))
            return
        self.figures.faults[fault.kind] += 1
        self._after(fault.seconds, lambda: _quietly(end))

    def _add_project(self, crowd: Crowd) -> None:
        """Load the site with one more project; the next one comes with the next load."""
        if self._loading is not None:
            if self._loading.is_running:
                return
            self._loading.stop()
        self._write_site(self._project_count + 1)
        name = project_name(self._project_count - 1, self.cloud.prefix)
        self._loading = self.stack.run(
            "loading", "django", "load_catalogue", str(self._site_file), "--yes"
        )
        # People may ask for it before it is there, and are told that it is not.
        crowd.projects.append(name)

    # --- Afterwards --------------------------------------------------------------------

    def _heal(self) -> None:
        """Everything runs, nothing fails, and every project is loaded."""
        while self._acts:
            heapq.heappop(self._acts)
        for server in (self.stack.servers.postgres, self.stack.servers.broker):
            if server.child is None or not server.child.is_running:
                server.start()
        self.stack.start_missing()
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self.cloud.answers() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.cloud.mend_all()

    def settle(self) -> None:
        """Wait until every target is true, or refused because less was granted than is used."""
        began = time.monotonic()
        if self._loading is not None:
            self._loading.stop()
        self.stack.finish(
            self.stack.run("loading", "django", "load_catalogue", str(self._site_file), "--yes")
        )
        with psycopg.connect(self._database_url) as connection:
            _wait_until_settled(connection)
        self.figures.settling_seconds = time.monotonic() - began

    def compare(self) -> None:
        """Every difference between what people were told, the database and the cloud."""
        figures, notes = self.figures, read_notes(self._notes_file)
        found = figures.differences
        compared = figures.compared
        audit = subprocess.run(
            [sys.executable, "manage.py", "audit_ledger"],
            cwd=ROOT, env=self.stack.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if audit.returncode != 0:
            found += (audit.stdout + audit.stderr).strip().splitlines()
        with psycopg.connect(self._database_url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # What is refused is looked at again now and then: not while that is under way.
            _wait_until_settled(connection)
            found += compare.notes_and_ledger(connection, notes, compared)
            found += compare.decisions_and_transfers(connection, notes, compared)
            found += compare.balances(connection, compared)
            found += compare.projects_in_cloud(connection, self.cloud, compared)
            found += compare.targets_and_cloud(connection, self.cloud, compared)
            figures.troubles = records.troubles(connection)
            figures.projects = len(records.projects(connection))


def soak(*, minutes: float, seed: int, cloud: str, say: Say, keep: bool = False) -> Figures:
    """Run it all; every process is gone afterwards, and every file, unless there is a difference.

    cloud: a name of clouds.CLOUDS, which answers already where it is no process of ours;
    keep: the files stay in any case. Raises RuntimeError and ServersError where it could not
    be brought up. Call from the main thread.
    """
    figures = Figures(seed=seed, minutes=minutes, cloud=cloud, cpus=os.cpu_count() or 1)
    folder = Path(tempfile.mkdtemp(prefix="remit-soak-"))
    # The servers' own user, who is not root, must pass through.
    folder.chmod(0o711)
    say(f"seed {seed}; logs and notes are in {folder}")
    is_clean = False
    try:
        with ExitStack() as stack:
            found = CLOUDS[cloud](folder, figures.calls, figures.hits)
            # In any case, and last: what still runs would make projects again.
            stack.callback(_clear_away, found, figures)
            servers = stack.enter_context(embedded_servers(folder / "data"))
            processes = Stack(servers, found, folder / "data")
            stack.callback(processes.stop)
            run = Soak(processes, found, figures, folder, say)
            run.prepare()
            run.run(minutes * 60)
            say("everything is up again and nothing fails; waiting until all is settled")
            run.settle()
            say(f"settled after {figures.settling_seconds:.0f} s; comparing")
            run.compare()
        is_clean = not figures.differences
    finally:
        if is_clean and not keep:
            shutil.rmtree(folder)
    return figures


def _wait_until_settled(connection: psycopg.Connection) -> None:
    """Until every target is, or for SETTLE_SECONDS; leaves the connection in that snapshot."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not all(compare.is_settled(each) for each in records.targets(connection)):
        if time.monotonic() > deadline:
            return
        connection.rollback()
        time.sleep(0.25)


def _clear_away(cloud: SoakCloud, figures: Figures) -> None:
    """What cannot be removed from the cloud is a difference."""
    try:
        figures.differences += [f"{name} is left in the cloud" for name in cloud.clear_away()]
    except (OSError, RuntimeError, AssertionError) as error:
        figures.differences.append(f"the cloud could not be cleared: {error!r}")


def _quietly(end: Callable[[], None]) -> None:
    """End a fault; a cloud that was killed meanwhile has forgotten it."""
    try:
        end()
    except OSError:
        pass
