"""`python -m bench.parts.working.acts VERB`: what people do, by the actions, in the site's
environment.

Prints JSON. For parts that measure workers, and not how people's calls come in.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

import django

django.setup()

from django.utils import timezone  # noqa: E402 - models need the setup above

from contrib.soak.site import ASKERS, DECIDERS, STEPS  # noqa: E402
from projects.models import Project, User  # noqa: E402
from quotas.actions import decide, endpoints, requests  # noqa: E402
from quotas.actions.wishes import Wish  # noqa: E402
from quotas.models import Account, Endpoint, QuotaRequest  # noqa: E402

# A resource of each kind of service.
RESOURCES = {"compute": "compute-a.vcpu", "volume": "storage-a.space"}


def offerings(regions: Sequence[str], services: Sequence[str]) -> list[str]:
    """The slugs of one offering for each service of each region."""
    return [f"{region}.{RESOURCES[service]}" for region in regions for service in services]


def ask(projects: Sequence[Project], slugs: Sequence[str], asker: User) -> list[QuotaRequest]:
    """A request of each project for one step more of each of these offerings."""
    return [
        requests.submit(
            project=project, actor=asker, now=timezone.now(),
            wish=Wish({slug: _more(project, slug)}, "measured"),
        )
        for project in projects
        for slug in slugs
    ]  # fmt: skip


def _more(project: Project, slug: str) -> int:
    held = Account.objects.filter(project=project, offering__slug=slug).first()
    return (held.balance if held else 0) + STEPS[slug.rpartition(".")[2]]


def approve(asked: QuotaRequest, decider: User) -> None:
    """As asked, by what is there now."""
    lines = {line.pk: line for line in asked.lines.all()}
    balances = dict(
        Account.objects.filter(project=asked.project).values_list("offering", "balance")
    )
    decide.approve(
        quota_request=asked,
        granted={key: line.wanted for key, line in lines.items()},
        seen={key: balances.get(line.offering_id, 0) for key, line in lines.items()},
        version=asked.version,
        actor=decider,
        now=timezone.now(),
    )


def book(first: int, count: int, slugs: Sequence[str]) -> int:
    """Decide for so many projects while nothing is delivered; how many changes wait then."""
    operator = _operator()
    for endpoint in Endpoint.objects.all():
        endpoints.pause(
            endpoint=endpoint, reason="Booked first, measured then.", until=None, actor=operator,
            now=timezone.now(),
        )  # fmt: skip
    projects = list(Project.objects.order_by("pk")[first : first + count])
    asked = ask(projects, slugs, User.objects.get(subject=ASKERS[0]))
    decider = User.objects.get(subject=DECIDERS[0])
    for each in asked:
        approve(each, decider)
    return len(asked)


def release() -> float:
    """Let workers begin; the moment (seconds since 1970) at which the first change may.

    Changes are those of services: identity is let go before, which opens connections, too.
    """
    operator = _operator()
    for identity in Endpoint.objects.filter(identity__isnull=True):
        endpoints.resume(endpoint=identity, actor=operator, now=timezone.now())
    services = list(Endpoint.objects.filter(identity__isnull=False).order_by("pk"))
    began = time.time()
    for service in services:
        endpoints.resume(endpoint=service, actor=operator, now=timezone.now())
    return began


def _operator() -> User:
    operator = User.objects.get(subject=DECIDERS[-1])
    if not operator.is_operator:
        operator.is_operator = True
        operator.save(update_fields=["is_operator"])
    return operator


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.parts.working.acts", description=__doc__)
    parser.add_argument("verb", choices=["book", "release"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--projects", type=int, default=1)
    parser.add_argument("--regions", nargs="+", default=[])
    parser.add_argument("--services", nargs="+", default=list(RESOURCES), choices=list(RESOURCES))
    options = parser.parse_args()
    if options.verb == "release":
        print(json.dumps({"began": release()}))
        return 0
    slugs = offerings(options.regions, options.services)
    print(json.dumps({"changes": book(options.first, options.projects, slugs)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
