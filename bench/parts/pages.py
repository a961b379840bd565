"""What people and programs read: each page and list beside its floor."""

from bench.harness.limits import LARGE, MANY_OPEN
from bench.harness.looks import look
from bench.harness.people import sign_in
from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from bench.harness.web import web

from .works import looks, who_is_who

# The site of 100,000 open requests differs from the large one in its queue alone.
MANY = "large_many"
OF_MANY = ("queue", "home of a decider", "API list of 50: queue")


def run(site: Site, report: Report) -> list[Figure]:
    """One figure a page, in the order of `works.looks`."""
    named = looks(who_is_who(site.scale))
    if site.scale == MANY:
        named = {name: named[name] for name in OF_MANY}
    size = {MANY: MANY_OPEN, LARGE: LARGE}.get(site.scale, site.scale)
    found = []
    with web(site.environment) as server:
        for name, each in named.items():
            session = sign_in(each.person)
            found.append(look(name, size, server.port, session, each, site.seconds))
            report.tell(found[-1])
    return found
