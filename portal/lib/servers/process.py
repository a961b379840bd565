"""A child process that never outlives the process that started it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec no lock may be taken.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The operating system's user that a child runs as."""

    name: str
    uid: int
    gid: int


def die_with_parent(sig: int) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends `sig` to the child when its parent ends.

    Runs after subprocess has changed the user, which would clear the wish. The parent
    is the thread that forks, so children are started from a thread that lives on.
    """
    parent = os.getpid()

    def ask_the_kernel() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, sig)
            if os.getppid() != parent:  # it ended before we asked
                os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


class Child:
    """One process in a session of its own, so that Ctrl-C reaches only its owner."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stop_signal: int = signal.SIGTERM,
        death_signal: int | None = None,
        account: Account | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> None:
        """`account` None keeps the user; `death_signal` is sent when the owner dies."""
        self.command = list(command)
        self.log = log
        self.stop_signal = stop_signal
        feed = subprocess.PIPE if stdin else subprocess.DEVNULL
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                stdin=feed,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=die_with_parent(death_signal or stop_signal),  # noqa: PLW1509 one thread
            )
        if self.popen.stdin is not None:
            self.popen.stdin.write(stdin)
            self.popen.stdin.close()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def stop(self, seconds: float = 10) -> None:
        """Ask it to end, wait, and kill what has not ended by then."""
        if self.is_running:
            self.resume()  # what is suspended hears nothing
            self.popen.send_signal(self.stop_signal)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and to all it has forked; returns when none of them is left."""
        self.suspend()  # what is stopped forks no more while we count
        family = self._family()
        for pid in family:
            _signal(pid, signal.SIGKILL)
        self.popen.wait()
        while any(_lives(pid) for pid in family[1:]):
            time.sleep(0.01)

    def kill_alone(self, seconds: float) -> None:
        """SIGKILL to it, and to nothing that it has forked: returns when that has ended too.

        Raises TimeoutError where something of it does not end by itself.
        """
        orphans = self.descendants()
        _signal(self.pid, signal.SIGKILL)
        self.popen.wait()
        deadline = time.monotonic() + seconds
        while any(_lives(pid) for pid in orphans):
            if time.monotonic() > deadline:
                raise TimeoutError(f"what {self.command[0]} had forked is still there")
            time.sleep(0.01)

    def descendants(self) -> list[int]:
        """All that it has forked and they have, eldest first."""
        return self._family()[1:]

    def suspend(self) -> None:
        """SIGSTOP: it accepts connections, and never answers."""
        for pid in self._family():
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self._family():
            _signal(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        """It and its descendants, eldest first; none once it has ended and was waited for.

        Not its process group: PostgreSQL's backends have sessions of their own.
        """
        if not self.is_running:
            return []
        children: dict[int, list[int]] = {}
        for pid, parent in _parents().items():
            children.setdefault(parent, []).append(pid)
        family = [self.popen.pid]
        for pid in family:
            family.extend(children.get(pid, []))
        return family


def _parents() -> dict[int, int]:
    """{process: its parent} of everything that runs; empty where there is no /proc."""
    numbers = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    stats = {pid: _stat(pid) for pid in numbers}
    return {pid: int(stat[1]) for pid, stat in stats.items() if stat}


def _stat(pid: int) -> list[str]:
    """/proc's fields from the state on; none for what is gone.

    A zombie is gone too: without a reaping init an orphan stays one for ever.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def _lives(pid: int) -> bool:
    return bool(_stat(pid))


def _signal(pid: int, sig: int) -> None:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def tail(log: Path, lines: int = 5) -> str:
    """The last words of a process, for the sentence that says it failed."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])
