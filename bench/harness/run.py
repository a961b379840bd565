"""`python -m bench.harness.run PART [SCALE]`: one part on one site, in a process of its own.

Its environment is the site's; `python -m bench` starts it.
"""

import os
import sys
from importlib import import_module

from bench.parts import PARTS

from .report import Report, Site, write_part
from .rows import rows_of


def main(name: str, scale: str) -> None:
    part = PARTS[name]
    if scale:
        import django  # only a part of a made site has settings that lead somewhere

        django.setup()
    report = Report()
    site = Site(scale, dict(os.environ), float(os.environ.get("MINUTES") or 60))
    figures = import_module(part.module).run(site, report)
    write_part(name, scale, rows_of(figures), report.kept)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
