"""`python -m bench [part …] [--scale …]` measures; `quick` one page; `serve` holds servers up.

Without a part it is all of them, on the small, the tenth and the large site, which it makes
where they are missing or old; then it writes docs/performance.md, and fails for what it lacks.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from bench import quick
from bench.harness import commits
from bench.harness.document import document
from bench.harness.machine import BUSY
from bench.harness.places import CACHE, ROOT, collect_static, production, servers
from bench.harness.report import FACTS
from bench.harness.rest import rest
from bench.harness.sites import copied, ensure_site
from bench.parts import PARTS, SCALES, Part
from portal.lib.servers import Addresses


def serve() -> int:
    """Hold the servers up until this is ended, so that others can measure one after the other."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with servers():
        print(f"The servers of {CACHE} run; end with Ctrl-C.", flush=True)
        signal.sigwait(signals)
    return 0


def measure(names: Sequence[str], scales: Sequence[str]) -> int:
    """Each part on each of its scales that is wanted; how many of them failed."""
    failed = 0
    for log in CACHE.glob("web-*.log"):
        log.unlink()  # of servers that were killed with their owner
    with servers() as addresses:
        for name in names:
            part = PARTS[name]
            if not part.scales:
                failed += _run(name, "", dict(os.environ))
            for scale in part.scales:
                if scale.partition("_")[0] in scales:
                    failed += _on_site(addresses, name, part, scale)
    return failed


def _on_site(addresses: Addresses, name: str, part: Part, scale: str) -> bool:
    """A part on the site as it was made, or on a copy where it changes it; whether it failed."""
    facts = ensure_site(addresses, scale)
    with ExitStack() as stack:
        database = stack.enter_context(copied(addresses, scale)) if part.writes else scale
        environment = dict(os.environ) | production(addresses, database)
        collect_static(environment)
        return _run(name, scale, environment | {FACTS: json.dumps(facts)})


def _run(name: str, scale: str, environment: dict[str, str]) -> bool:
    rest()
    print(f"\n{name} {scale}: {PARTS[name].about}", flush=True)
    command = [sys.executable, "-m", "bench.run", name, scale]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["quick"]:
        return quick.main(arguments[1:])
    if arguments == ["serve"]:
        return serve()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}, or document")
    parser.add_argument("--scale", action="append", choices=SCALES, help="may be given again")
    parser.add_argument(
        "--busy", action="store_true", help="though the machine does other things; rows say so"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.part) - PARTS.keys() - {"document"}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    # Before anything is written: what this writes is no change of what it measures.
    os.environ[commits.NAME] = commits.checked_out()
    if options.busy:
        os.environ[BUSY] = "1"
    chosen = [each for each in PARTS if each in options.part] if options.part else list(PARTS)
    failed = measure(chosen, options.scale or SCALES) if chosen else 0
    faults = document()
    is_whole = not options.part and not options.scale
    for each in faults if is_whole else ():
        print(each, file=sys.stderr)
    return 1 if failed or (faults and is_whole) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
