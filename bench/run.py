"""`python -m bench.run PART [SCALE]`: one part on one site, in a process of its own.

Its environment is the site's, or its copy's; `python -m bench` starts it.
"""

import json
import os
import sys
from importlib import import_module

from bench.harness.report import FACTS, Report, Site, write_part
from bench.harness.rows import rows_of
from bench.parts import PARTS


def main(name: str, scale: str) -> None:
    part = PARTS[name]
    if scale:
        import django  # only a part of a made site has settings that lead somewhere

        django.setup()
    report = Report()
    site = Site(
        scale,
        dict(os.environ),
        minutes=float(os.environ.get("MINUTES") or 60),
        seconds=float(os.environ.get("SECONDS") or 20),
        facts=json.loads(os.environ[FACTS]) if scale else None,
    )
    figures = import_module(part.module).run(site, report)
    write_part(name, site, rows_of(figures), report.kept)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
