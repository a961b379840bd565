"""`python -m bench.parts.working.deciding`: several people decide at once, each a process.

With a list of plans as JSON on its input, in the site's environment; prints what came of them.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

import django

django.setup()

from django.db import connection  # noqa: E402 - models need the setup above

from bench.parts.working.acts import approve  # noqa: E402
from bench.parts.working.at_once import at_once  # noqa: E402
from bench.parts.working.plans import Decided, Plan  # noqa: E402
from portal.lib.errors import DomainError, Stale  # noqa: E402
from projects.models import User  # noqa: E402
from quotas.models import QuotaRequest  # noqa: E402

# As often somebody who is told that the figures have changed looks and tries again.
TRIES = 5


def _ready(plan: Plan) -> Callable[[], tuple[int, list[str]]]:
    decider = User.objects.get(pk=plan.person)
    rows = QuotaRequest.objects.select_related("project")
    return partial(_decide, [rows.get(pk=each) for each in plan.requests], decider)


def _decide(asked: Sequence[QuotaRequest], decider: User) -> tuple[int, list[str]]:
    """How many were granted, and why the others were not."""
    granted, refused = 0, []
    for each in asked:
        try:
            _approve(each, decider)
        except DomainError as refusal:
            refused.append(str(refusal))
        else:
            granted += 1
    return granted, refused


def _approve(asked: QuotaRequest, decider: User) -> None:
    for left in reversed(range(TRIES)):
        try:
            return approve(asked, decider)
        except Stale:
            if not left:
                raise
            asked.refresh_from_db()


def decide_at_once(plans: Sequence[Plan]) -> Decided:
    # Nothing of a connection that is open may be shared with them.
    connection.close()
    done = at_once([partial(_ready, each) for each in plans])
    return Decided(
        seconds=done.seconds,
        granted=sum(granted for granted, _refused in done.told),
        refused=[words for _granted, refused in done.told for words in refused],
    )


if __name__ == "__main__":
    found = decide_at_once([Plan(**each) for each in json.load(sys.stdin)])
    json.dump(asdict(found), sys.stdout)
