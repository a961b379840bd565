"""One page beside its floor, on any database of the bench: for whoever makes it faster.

`python -m bench quick queue`, or of any address:
`python -m bench quick --person 1 --address /units/`, beside a floor of as many rows.
"""

import argparse
from collections.abc import Mapping

from bench.harness.looks import LIKE, Look, look
from bench.harness.places import TESTS, become, collect_static, production, servers
from bench.harness.report import Report
from bench.harness.web import web


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench quick", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="a work that the database names")
    parser.add_argument("--database", default=TESTS, help="tests, small, tenth or large")
    parser.add_argument("--person", type=int, default=0, help="the id of who looks")
    parser.add_argument("--address", default="")
    parser.add_argument("--floor", default=f"/floor/requests/{LIKE}/")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pages", action="store_true", help="leave what static files are called")
    options = parser.parse_args(arguments)
    with servers() as addresses:
        environment = production(addresses, options.database)
        if not options.pages:
            collect_static(environment)
        become(environment)
        from bench.parts.works import looks, who_is_who  # models need Django set up

        if options.database == TESTS:
            from bench.harness.cost_site import ensure

            ensure(addresses)
        if options.address:
            named = {options.address: Look(options.person, options.address, options.floor)}
        else:
            named = looks(who_is_who(options.database))
        chosen = {options.name} & named.keys() or {
            each for each in named if options.name.lower() in each.lower()
        }
        if not chosen:
            parser.error(f"there are: {', '.join(named)}")
        named = {name: each for name, each in named.items() if name in chosen}
        _measure(named, environment, options.database, options.seconds)
    return 0


def _measure(
    named: Mapping[str, Look], environment: Mapping[str, str], database: str, seconds: float
) -> None:
    from bench.harness.people import sign_in  # models need Django set up

    report = Report()
    with web(environment) as server:
        for name, each in named.items():
            report.tell(look(name, database, server.port, sign_in(each.person), each, seconds))
