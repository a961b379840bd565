"""`python -m bench.experiments NAME [--scale small|tenth|large]`; `tables` writes the page anew."""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module

from .results import Found, keep, outdated, table_of, write_page

# Those that take no scale need no site, or take their figures from others.
OF_A_SITE = ("holding", "sweeps", "regions", "partitions", "pooling", "replica")
OF_NONE = ("locks", "rounds", "writes", "brokers")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.experiments", description=__doc__)
    parser.add_argument("name", choices=[*OF_A_SITE, *OF_NONE, "tables"])
    parser.add_argument("--scale", default="tenth", choices=["small", "tenth", "large"])
    options = parser.parse_args(arguments)
    if options.name == "tables":
        write_page()
        return _told(outdated())
    # Each is loaded when it is run: settings are read from what it has made of the environment.
    run: Callable[..., Found] = import_module(f"bench.experiments.{options.name}").run
    try:
        found = run(options.scale) if options.name in OF_A_SITE else run()
    except LookupError as error:
        print(error, file=sys.stderr)
        return 2
    keep(options.name, found)
    print(table_of(found))
    return _told(outdated())


def _told(faults: list[str]) -> int:
    for each in faults:
        print(each, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
