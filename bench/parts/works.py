"""Who does what on a made site: each work by name, its address, and the floor beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.utils import timezone

from bench.harness.places import TESTS
from projects.models import User
from projects.queries.viewers import Viewer
from quotas.models import Account
from quotas.queries.queue_wishes import Wanted
from quotas.queries.waiting import queue_page

FIFTY = "/floor/requests/50/"
API = "/floor/api"
MANY_OPEN = 100_000


@dataclass(frozen=True)
class Who:
    """People by id, what they do it to by its slug.

    owner: of a project with all offerings; decider: for whom more wait than a page shows;
    root: sees all, and decides `bulk`, a hundred open requests, or none on a site of fewer;
    search: a word that finds something.
    """

    owner: int
    project: str
    offering: str
    decider: int
    root: int
    search: str
    bulk: tuple[int, ...] = ()


@dataclass(frozen=True)
class Look:
    """Who asks for which address, what it is compared with, and what a form posts, if it is one.

    headers: beside those of every call.
    """

    person: int
    address: str
    floor: str
    posts: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def who_is_who(database: str) -> Who:
    """Of a database of the bench; Django's settings lead there."""
    if database == TESTS:
        from bench.harness.tests_site import who  # it makes use of what stands here

        return who()
    from bench.site.cast import BULK, cast
    from bench.site.sizes import SCALES

    name, _, is_many = database.partition("_")
    scale = SCALES[name].with_open(MANY_OPEN) if is_many else SCALES[name]
    found = cast(scale)
    held = Account.objects.filter(project=found.wide_project).select_related("project", "offering")
    first = held.order_by("offering_id")[0]
    assert first.project is not None  # noqa: S101 - it is of the project
    bulk = found.bulk_requests if len(found.bulk_requests) == BULK else ()
    return Who(
        owner=found.owner, project=first.project.slug, offering=first.offering.slug,
        decider=found.decider, root=found.root, search=first.project.name.split()[0], bulk=bulk,
    )  # fmt: skip


def looks(who: Who) -> dict[str, Look]:
    """All pages and lists that are measured, by the names of their works."""
    slug, from_owner = who.project, {"project": who.project, "reason": "More for the next run"}
    first = first_waiting(who)
    count = Account.objects.filter(project__slug=slug).count()
    api = {
        "queue": Look(who.decider, "/api/v1/queue/", f"{API}/requests/"),
        "requests": Look(who.root, "/api/v1/requests/", f"{API}/requests/"),
        "projects": Look(who.root, "/api/v1/projects/", f"{API}/projects/"),
        "events": Look(who.root, "/api/v1/events/", f"{API}/events/"),
        "transfers": Look(
            who.owner, f"/api/v1/projects/{slug}/transfers/", f"{API}/transfers/{slug}/"
        ),
    }
    preview = {**from_owner, f"amount-{who.offering}": "+1", "region": who.offering.split(".")[0]}
    return {
        "home": Look(who.owner, "/", FIFTY),
        "home of a decider": Look(who.decider, "/", FIFTY),
        "project page": Look(who.owner, f"/projects/{slug}/", f"/floor/quota/{slug}/"),
        "queue": Look(who.decider, "/decide/", FIFTY),
        "page of a decision": Look(who.decider, f"/decide/{first}/", FIFTY),
        "request form": Look(who.owner, f"/requests/new/?project={slug}", FIFTY),
        # As htmx asks for it while somebody types.
        "request form's preview": Look(
            who.owner, "/requests/preview/", f"/floor/requests/{max(1, count // 5)}/", preview,
            {"HX-Request": "true"},
        ),
        "explain": Look(who.owner, f"/projects/{slug}/most/{who.offering}/", FIFTY),
        "search": Look(who.root, f"/find/?{urlencode({'q': who.search})}", FIFTY),
        **{f"API list of 50: {name}": each for name, each in api.items()},
    }  # fmt: skip


def first_waiting(who: Who) -> int:
    """The number of the request that stands first in the decider's queue; 0: none."""
    viewer = Viewer.of(User.objects.get(pk=who.decider), timezone.now())
    page = queue_page(viewer, Wanted())
    return page.requests[0].pk if page.requests else 0
