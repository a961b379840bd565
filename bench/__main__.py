"""`python -m bench [part …] [--scale …]` measures; `quick` one page; `serve` holds servers up."""

import signal
import sys

from bench.harness import quick
from bench.harness.places import CACHE, servers


def serve() -> int:
    """Hold the servers up until this is ended, so that others can measure one after the other."""
    with servers():
        print(f"The servers of {CACHE} run; end with Ctrl-C.", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["quick"]:
        return quick.main(arguments[1:])
    if arguments == ["serve"]:
        return serve()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
