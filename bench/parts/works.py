"""Who does what on a made site: each work by name, its address, and the floor beside it."""

from urllib.parse import urlencode

from django.utils import timezone

from bench.harness.looks import LIKE, Look
from bench.harness.people import Who
from bench.harness.places import TESTS
from bench.harness.sites import SITES
from bench.site.cast import BULK, cast
from bench.site.sizes import OFFERINGS, SCALES
from projects.models import User
from projects.queries.viewers import Viewer
from quotas.models import Account, Transfer
from quotas.queries.queue_wishes import Wanted
from quotas.queries.waiting import queue_page

PAGE = 50
API = "/floor/api"
# A floor of as many rows of requests as the page has rows and items itself.
AS_MANY = f"/floor/requests/{LIKE}/"
FIFTY = f"/floor/requests/{PAGE}/"
QUEUE_ROW, AMOUNT = r"<tr\b[^>]*\bdata-row\b", r'\bname="amount-'
# Each offering leads to why there is so much of it; limits of several have a row besides.
QUOTA_ROW = r'<a href="/projects/[^/"]+/why/'


def who_is_who(database: str) -> Who:
    """Of a database of the bench; Django's settings lead there."""
    if database == TESTS:
        from bench.harness.cost_site import who  # of tests, which nothing else here loads

        return who()
    order = SITES[database]
    scale = SCALES[order.scale]
    if order.open is not None:
        scale = scale.with_open(order.open)
    found = cast(scale)
    held = Account.objects.filter(project=found.wide_project).select_related("project", "offering")
    if held.count() != OFFERINGS:
        raise AssertionError(f"The wide project of {database} has not all {OFFERINGS} offerings")
    first = held.order_by("offering_id")[0]
    assert first.project is not None  # noqa: S101 - it is of the project
    has_bulk = len(found.bulk_requests) == BULK
    return Who(
        owner=found.owner, project=first.project.slug, offering=first.offering.slug,
        decider=found.decider, root=found.root, search=first.project.name.split()[0],
        bulk=found.bulk_requests if has_bulk else (),
        alone=found.alone_requests if has_bulk else (),
    )  # fmt: skip


def looks(who: Who) -> dict[str, Look]:
    """All pages and lists that are measured, by the names of their works.

    Where a page is no list, its floor has as many rows as it has rows and items.
    """
    slug, from_owner = who.project, {"project": who.project, "reason": "More for the next run"}
    first = first_waiting(who)
    count = Account.objects.filter(project__slug=slug).count()
    moved = Transfer.objects.filter(credit__project__slug=slug).count()
    api = {
        "queue": Look(who.decider, "/api/v1/queue/", f"{API}/requests/", rows=PAGE),
        "requests": Look(who.root, "/api/v1/requests/", f"{API}/requests/", rows=PAGE),
        "projects": Look(who.root, "/api/v1/projects/", f"{API}/projects/", rows=PAGE),
        "events": Look(who.root, "/api/v1/events/", f"{API}/events/", rows=PAGE),
        "transfers": Look(
            who.owner,
            f"/api/v1/projects/{slug}/transfers/",
            f"{API}/transfers/{slug}/",
            rows=min(PAGE, moved),
        ),
    }
    preview = {**from_owner, f"amount-{who.offering}": "+1", "region": who.offering.split(".")[0]}
    return {
        "home": Look(who.owner, "/", AS_MANY),
        "home of a decider": Look(who.decider, "/", AS_MANY),
        "project page": Look(
            who.owner, f"/projects/{slug}/", f"/floor/quota/{slug}/", QUOTA_ROW, count
        ),
        "queue": Look(who.decider, "/decide/", FIFTY, QUEUE_ROW, PAGE),
        "page of a decision": Look(who.decider, f"/decide/{first}/", AS_MANY),
        "request form": Look(who.owner, f"/requests/new/?project={slug}", AS_MANY, AMOUNT),
        # As htmx asks for it while somebody types.
        "request form's preview": Look(
            who.owner, "/requests/preview/", AS_MANY, posts=preview, headers={"HX-Request": "true"}
        ),
        "explain": Look(who.owner, f"/projects/{slug}/most/{who.offering}/", AS_MANY),
        "search": Look(who.root, f"/find/?{urlencode({'q': who.search})}", AS_MANY),
        **{f"API list of 50: {name}": each for name, each in api.items()},
    }  # fmt: skip


def first_waiting(who: Who) -> int:
    """The number of the request that stands first in the decider's queue; 0: none."""
    viewer = Viewer.of(User.objects.get(pk=who.decider), timezone.now())
    page = queue_page(viewer, Wanted())
    return page.requests[0].pk if page.requests else 0
