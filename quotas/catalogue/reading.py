"""From a file's text to what it says, or to everything that is wrong with it."""

from portal.lib.amounts import format_amount

from .document import compose, nearest
from .problems import Problems
from .reading_amounts import AmountsReader
from .reading_cloud import CloudReader
from .reading_people import PeopleReader
from .site import Offering, Site

SECTIONS = (
    "resources", "identity", "services", "offers", "regions", "capacities", "presets",
    "units", "people", "groups", "projects", "holidays",
)  # fmt: skip


def read_site(text: str) -> Site:
    """What a file says. Raises Refused with every contradiction and its line."""
    problems = Problems()
    top = compose(text, problems)
    top.known(SECTIONS)
    site = Site()
    CloudReader(site, problems).read(top)
    AmountsReader(site, problems).read(top)
    PeopleReader(site, problems).read(top)
    _check_endpoints(site, problems)
    _check_steps(site, problems)
    _check_names(site, problems)
    problems.refuse()
    return site


def _check_endpoints(site: Site, problems: Problems) -> None:
    """An identity is an identity endpoint, and a region one of the file's."""
    identities = [slug for slug, each in site.endpoints.items() if not each.identity]
    for endpoint in site.endpoints.values():
        if endpoint.region and endpoint.region not in site.regions:
            problems.add(
                endpoint.line,
                f"{endpoint.region} is no region{nearest(endpoint.region, site.regions)}",
            )
        if endpoint.identity and endpoint.identity not in identities:
            problems.add(
                endpoint.line,
                f"{endpoint.slug} names {endpoint.identity}, which is no identity endpoint"
                f"{nearest(endpoint.identity, identities)}",
            )


def _check_steps(site: Site, problems: Problems) -> None:
    """What can be had must be what can be written: steps × factor in steps of the limit."""
    for offering in site.offerings.values():
        resource = site.resources[offering.resource]
        for feed in offering.feeds:
            limit = site.limits[feed.endpoint, feed.key]
            if limit.unit != resource.unit:
                problems.add(
                    feed.line,
                    f"{resource.slug} and {feed.key} are not counted in the same unit.",
                )
            elif resource.step * feed.factor % limit.step:
                problems.add(
                    feed.line,
                    f"{feed.key} is written in steps of {format_amount(limit.step, limit.unit)}, "
                    f"and {resource.slug} comes in steps of "
                    f"{format_amount(resource.step * feed.factor, limit.unit)}{_times(feed.factor)}"
                    ", which is no multiple of it.",
                )
        _check_twice(offering, problems)


def _times(factor: int) -> str:
    return f" (factor {factor} included)" if factor != 1 else ""


def _check_twice(offering: Offering, problems: Problems) -> None:
    seen: set[tuple[str, str]] = set()
    for feed in offering.feeds:
        if (feed.endpoint, feed.key) in seen:
            problems.add(feed.line, f"{offering.slug} feeds {feed.key} twice.")
        seen.add((feed.endpoint, feed.key))


def _check_names(site: Site, problems: Problems) -> None:
    """The clouds know a project by its name, so no two may share one."""
    names: dict[str, int] = {}
    for project in site.projects.values():
        if project.name in names:
            problems.add(
                project.line,
                f"{project.name} is the name of two projects, first on line {names[project.name]}.",
            )
        names.setdefault(project.name, project.line)
    days: set[tuple[str, object]] = set()
    for capacity in site.capacities:
        if (capacity.offering, capacity.as_of) in days:
            problems.add(capacity.line, f"{capacity.offering} has two capacities on one day.")
        days.add((capacity.offering, capacity.as_of))
