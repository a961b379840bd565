"""`python -m bench.parts.working.contenders VERB`: who decides in the contention part, and about
what. In the site's environment; prints JSON.

people: gina, hugo and ines share one delegation, whose total they consume together; jane, karl and
lena have one each. ask: requests of projects of one unit, [[ids] for each of who decides].
"""

import argparse
import json
import sys
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402 - models need the setup above

from contrib.soak.site import ASKERS, DECIDERS  # noqa: E402
from projects.models import Delegation, Group, GroupMembership, Project, User  # noqa: E402
from projects.states import Power  # noqa: E402
from quotas.actions import requests  # noqa: E402
from quotas.actions.bounds import Bound  # noqa: E402
from quotas.actions.delegations import delegate  # noqa: E402
from quotas.actions.wishes import Wish  # noqa: E402
from quotas.models import Account, Resource  # noqa: E402

TOGETHER, ALONE = ("gina", "hugo", "ines"), ("jane", "karl", "lena")
# More than all rounds consume.
TOTAL = 10**9


def make_people() -> None:
    """With their delegations, below the root of the first decider."""
    since = timezone.now() - timedelta(days=1)
    people = {
        name: User.objects.create(subject=name, name=name.capitalize())
        for name in (*TOGETHER, *ALONE)
    }
    group = Group.objects.create(external_id="together", name="Together")
    for name in TOGETHER:
        GroupMembership.objects.create(group=group, user=people[name], starts_at=since)
    _hand_on(None, group)
    for name in ALONE:
        _hand_on(people[name], None)


def _hand_on(user: User | None, group: Group | None) -> None:
    root = Delegation.objects.get(user__subject=DECIDERS[0], parent=None)
    now = timezone.now()
    vcpu = Resource.objects.get(slug="vcpu")
    delegate(
        parent=root, grantor=User.objects.get(subject=DECIDERS[0]), unit=root.unit,
        powers=[Power.DECIDE_QUOTA], starts_at=now, ends_at=None, depth=0,
        bounds=[Bound(resource=vcpu, total=TOTAL)], user=user, group=group, now=now,
    )  # fmt: skip


def ask(unit: str, offerings: list[str], each: int) -> list[list[int]]:
    """For each offering so many requests for one more of it, all of different projects."""
    asker = User.objects.get(subject=ASKERS[0])
    projects = iter(Project.objects.filter(unit__slug=unit).order_by("pk"))
    return [[_ask(next(projects), slug, asker) for _ in range(each)] for slug in offerings]


def _ask(project: Project, slug: str, asker: User) -> int:
    held = Account.objects.filter(project=project, offering__slug=slug).first()
    wish = Wish({slug: (held.balance if held else 0) + 1}, "measured")
    return requests.submit(project=project, wish=wish, actor=asker, now=timezone.now()).pk


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.parts.working.contenders", description=__doc__)
    parser.add_argument("verb", choices=["people", "ask"])
    parser.add_argument("--unit", default="")
    parser.add_argument("--offerings", nargs="+", default=[])
    parser.add_argument("--each", type=int, default=1)
    options = parser.parse_args()
    if options.verb == "people":
        make_people()
        print("null")
    else:
        print(json.dumps(ask(options.unit, options.offerings, options.each)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
