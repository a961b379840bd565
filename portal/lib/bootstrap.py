"""Make .venv hold a requirements file: `python3 portal/lib/bootstrap.py requirements.txt`.

Runs before anything is installed: standard library only, and words that an old Python
can read as far as the sentence that refuses it. When nothing changed it takes no time.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
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
    count = len(pins(requirements))
    print(
        f"Installing {requirements.name} into .venv, {count} packages and what they need: "
        "one to five minutes the first time …",
        flush=True,
    )
    run_pip(requirements)
    stamp.write_text(digest)


def fingerprint(requirements: Path) -> str:
    """Changes with the requirements and with the Python they are installed for."""
    digest = hashlib.sha256(sys.version.encode())
    for line in requirements.read_text().splitlines():
        digest.update(line.encode())
        if line.startswith("-r "):
            digest.update(fingerprint(requirements.parent / line[3:].strip()).encode())
        if line.startswith("-e "):
            # Its code is read where it stands; what it needs and its programs are not.
            package = requirements.parent / line[3:].partition("#")[0].strip()
            digest.update((package / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def pins(requirements: Path) -> list[str]:
    """The lines that name a package, with those of the files that are included."""
    found: list[str] = []
    for line in requirements.read_text().splitlines():
        if line.startswith("-r "):
            found += pins(requirements.parent / line[3:].strip())
        elif line.strip() and not line.startswith(("#", "-")):
            found.append(line)
    return found


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
    """Of what pip says a line is shown; its complaints are kept for the sentence at the end."""
    log = VENV / "pip-errors.log"
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20"]
    command += ["--requirement", str(requirements)]
    with log.open("w") as complaints:
        # pip reads the paths in a file as seen from where it runs.
        pip = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, cwd=ROOT
        )
        try:
            tell(pip.stdout or [])
        finally:
            # Ctrl-C reaches pip too; it is waited for, so that it does not outlive us.
            status = pip.wait()
    if status == 0:
        return
    said = log.read_text(errors="replace")
    if any(words in said for words in NO_NETWORK):
        sys.exit(
            "The package index could not be reached: check the network, or PIP_INDEX_URL and the "
            f"proxy, and run this again (pip's own words: {log})."
        )
    last = said.strip().splitlines()[-1:] or ["no reason was given"]
    sys.exit(f"pip could not install {requirements.name}: {last[0]} (all of it: {log}).")


def tell(lines: Iterable[str]) -> None:
    """How far pip is: on a terminal one line that changes, elsewhere a line for each phase."""
    is_terminal = sys.stdout.isatty()
    found = 0
    for line in lines:
        words = line.split()
        if line.startswith("Collecting ") and is_terminal:
            found += 1
            print(f"\r  {found} fetched, now {words[1][:50]}\033[K", end="", flush=True)
        elif line.startswith("Installing collected packages: "):
            start = "\r\033[K" if is_terminal else ""
            print(f"{start}  Fetched; unpacking {len(words) - 3} packages …", flush=True)
    if found and is_terminal:
        print("\r\033[K", end="", flush=True)


if __name__ == "__main__":
    main()
