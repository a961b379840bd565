"""A bench server in a process of its own: started once it says its address, ended or killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """`stop`, `kill` and `start` it again with the same arguments."""

    def __init__(self, module: str, arguments: Sequence[str], ready: str) -> None:
        """`ready` is how the line begins that it prints once it answers."""
        self._command = [sys.executable, "-m", module, *arguments]
        self._ready = ready
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """What follows `ready` in its first line. Raises RuntimeError with what it said instead."""
        process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, "REMIT_SANDBOX": "allow"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._process = process
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith(self._ready):
            rest = process.communicate()[0]
            raise RuntimeError(f"{self._command[2]} did not start: {line}{rest}")
        return line.removeprefix(self._ready).strip()

    @property
    def pid(self) -> int | None:
        """Of its process; None while there is none."""
        return self._process.pid if self._process else None

    def stop(self) -> int | None:
        """End it by SIGTERM; its port refuses connections from then on. The exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int | None:
        """End it by SIGKILL."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        code = process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
        return code
