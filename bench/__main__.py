"""`python -m bench [part …] [--scale …]` measures; `quick` one page; `serve` holds servers up.

Without a part it is all of them, on the small, the tenth and the large site, which it makes
where they are missing; then it writes docs/performance.md, and fails for what it lacks.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from bench.harness import quick
from bench.harness.document import document
from bench.harness.places import CACHE, ROOT, collect_static, production, servers
from bench.harness.sites import ensure_site
from bench.parts import PARTS, SCALES


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
    with servers() as addresses:
        is_static_there = False
        for name in names:
            part = PARTS[name]
            for scale in [each for each in part.scales if each.partition("_")[0] in scales] or (
                [""] if not part.scales else []
            ):
                environment = dict(os.environ)
                if scale:
                    ensure_site(addresses, scale)
                    environment |= production(addresses, scale)
                    if not is_static_there:
                        collect_static(environment)
                        is_static_there = True
                print(f"\n{name} {scale}: {part.about}", flush=True)
                command = [sys.executable, "-m", "bench.harness.run", name, scale]
                failed += (
                    subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0
                )
    return failed


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["quick"]:
        return quick.main(arguments[1:])
    if arguments == ["serve"]:
        return serve()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}, or document")
    parser.add_argument("--scale", action="append", choices=SCALES, help="may be given again")
    options = parser.parse_args(arguments)
    unknown = set(options.part) - PARTS.keys() - {"document"}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [each for each in PARTS if each in options.part] if options.part else list(PARTS)
    failed = measure(chosen, options.scale or SCALES)
    faults = document()
    is_whole = not options.part and not options.scale
    for each in faults if is_whole else ():
        print(each, file=sys.stderr)
    return 1 if failed or (faults and is_whole) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
