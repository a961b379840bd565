"""Make .venv hold a requirements file: `python3 portal/lib/bootstrap.py requirements.txt`.

Runs before anything is installed: standard library only, and words that an old Python
can read as far as the sentence that refuses it. When nothing changed it takes no time.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
# What pip writes when it cannot reach an index.
NO_NETWORK = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "Network is unreachable",
    "Failed to establish a new connection",
    "Connection refused",
    "Connection timed out",
    "ConnectTimeoutError",
    "Could not fetch URL",
    "Max retries exceeded",
    "Cannot connect to proxy",
)


def main() -> None:
    if sys.version_info < OLDEST:
        found = ".".join(str(number) for number in sys.version_info[:3])
        sys.exit(
            f"Remit needs Python 3.11 or newer, and this is {found}: install one and name it, "
            "as in PYTHON=python3.11 make run."
        )
    for name in sys.argv[1:]:
        install(ROOT / name)


def install(requirements: Path) -> None:
    """Once for each content of the file and of those it includes."""
    stamp = VENV / f".installed-{requirements.name}"
    digest = fingerprint(requirements)
    if stamp.exists() and stamp.read_text() == digest and works():
        return
    if not works():
        make_venv()
    print(f"Installing {requirements.name} into .venv (some minutes the first time) …", flush=True)
    run_pip(requirements)
    stamp.write_text(digest)


def fingerprint(requirements: Path) -> str:
    """Changes with the requirements and with the Python they are installed for."""
    digest = hashlib.sha256(sys.version.encode())
    for line in requirements.read_text().splitlines():
        digest.update(line.encode())
        if line.startswith("-r "):
            digest.update(fingerprint(requirements.parent / line[3:].strip()).encode())
    return digest.hexdigest()


def works() -> bool:
    """A .venv that was moved or whose Python was removed does not."""
    python = VENV / "bin" / "python"
    has_pip = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
    try:
        done = subprocess.run([str(python), "-c", has_pip], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make_venv() -> None:
    print("Making .venv …", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        if "ensurepip" in made.stdout + made.stderr:
            sys.exit(
                "This Python cannot make a virtual environment: install its venv package "
                "(on Debian: apt-get install python3-venv)."
            )
        sys.exit(f"Making .venv failed: {(made.stderr or made.stdout).strip()}")


def run_pip(requirements: Path) -> None:
    """pip's progress is shown; its complaints are kept for the one sentence at the end."""
    log = VENV / "pip-errors.log"
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20"]
    command += ["--requirement", str(requirements)]
    with log.open("w") as complaints:
        done = subprocess.run(command, stderr=complaints, check=False)
    if done.returncode == 0:
        return
    said = log.read_text(errors="replace")
    if any(words in said for words in NO_NETWORK):
        sys.exit(
            "The package index could not be reached: check the network, or PIP_INDEX_URL and the "
            f"proxy, and run this again (pip's own words: {log})."
        )
    last = said.strip().splitlines()[-1:] or ["no reason was given"]
    sys.exit(f"pip could not install {requirements.name}: {last[0]} (all of it: {log}).")


if __name__ == "__main__":
    main()
