"""One page beside its floor, on any database of the bench: for whoever makes it faster.

`python -m bench quick queue`, or of any address:
`python -m bench quick --person 1 --address /units/ --floor /floor/requests/50/`.
"""

import argparse
from dataclasses import dataclass

from .places import collect_static, production, servers

TESTS = "tests"


@dataclass(frozen=True)
class Look:
    """Who looks at which address, and what it is compared with."""

    person: int
    address: str
    floor: str


def looks_of(database: str) -> dict[str, Look]:
    """What a database has by name; Django is set up and its settings lead there."""
    if database != TESTS:
        from bench.parts.works import looks_at  # models need Django set up

        return looks_at(database)
    from .tests_site import looks

    return looks()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench quick", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="a work that the database names")
    parser.add_argument("--database", default=TESTS, help="tests, small, tenth or large")
    parser.add_argument("--person", type=int, default=0, help="the id of who looks")
    parser.add_argument("--address", default="")
    parser.add_argument("--floor", default="/floor/requests/50/")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pages", action="store_true", help="leave what static files are called")
    options = parser.parse_args(arguments)
    with servers() as addresses:
        environment = production(addresses, options.database)
        if not options.pages:
            collect_static(environment)
        from .places import become

        become(environment)
        if options.database == TESTS:
            from .tests_site import ensure

            ensure(addresses)
        named = {} if options.address else looks_of(options.database)
        if options.address:
            named = {options.address: Look(options.person, options.address, options.floor)}
        elif options.name:
            if options.name not in named:
                parser.error(f"there are: {', '.join(named)}")
            named = {options.name: named[options.name]}
        _measure(named, environment, options.database, options.seconds)
    return 0


def _measure(
    named: dict[str, Look], environment: dict[str, str], database: str, seconds: float
) -> None:
    from .looks import look
    from .people import sign_in
    from .web import web

    with web(environment) as server:
        for name, each in named.items():
            found = look(
                name, database, server.port, sign_in(each.person), each.address, each.floor,
                seconds,
            )  # fmt: skip
            pairs = found.pairs
            assert pairs is not None  # noqa: S101 - a look has them
            print(
                f"{name}: {pairs.ratio:.2f} × floor (best {pairs.best_ratio:.2f}); "
                f"{pairs.median_ms:.1f} ms, best {pairs.best_ms:.1f}, floor {pairs.floor_ms:.1f}; "
                f"{found.queries} queries, {found.bytes:,} B, {found.compressed:,} B as sent; "
                f"{found.cpu_ms:.1f} ms CPU; {len(pairs.ours)} pairs",
                flush=True,
            )
