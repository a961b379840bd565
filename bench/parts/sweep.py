"""What it takes to read what all projects of a cloud use, beside the least that its APIs allow.

A cloud of so many projects in two regions, made and imported by contrib/scale, is read as workers
do it every few minutes.
"""

import os
import tempfile
from pathlib import Path

from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from contrib.scale.__main__ import IMPORT, SURVEY
from contrib.scale.__main__ import run as scaled

PROJECTS = int(os.environ.get("SWEPT") or 500)
SWEEP = "sweep of all projects"


def run(site: Site, report: Report) -> list[Figure]:
    """Calls for each project, those beside the least (ratio), and seconds."""
    with tempfile.TemporaryDirectory(prefix="remit-scale-") as name:
        folder = Path(name)
        # Not closed to the servers' own user where we are root.
        folder.chmod(0o711)
        took = {each.name: each for each in scaled(PROJECTS, folder, (IMPORT, SURVEY))}
    if failed := [each.name for each in took.values() if each.code]:
        raise RuntimeError(f"{', '.join(failed)} failed")
    found = took[SURVEY]
    calls, least = found.calls.total(), found.least.total()
    report.keep("calls", {"made": dict(found.calls), "least": dict(found.least)})
    size = f"sandbox, {PROJECTS:,} projects, 2 regions"
    figures = [
        Figure(f"{SWEEP}, calls beside the least", size, ratio=calls / least),
        Figure(f"{SWEEP}, calls", size, value=calls / PROJECTS, unit="calls a project"),
        Figure(SWEEP, size, value=found.seconds, unit="s"),
    ]
    for each in figures:
        report.tell(each)
    return figures
