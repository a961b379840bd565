"""`python -m bench.parts.working.deciding`: several people decide at once, each a process.

With a list of plans as JSON on its input, in the site's environment; prints what came of them.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.synchronize import Barrier
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - models need the setup above

from bench.parts.working.acts import approve  # noqa: E402
from bench.parts.working.plans import Decided, Plan  # noqa: E402
from portal.lib.errors import DomainError, Stale  # noqa: E402
from projects.models import User  # noqa: E402
from quotas.models import QuotaRequest  # noqa: E402

# As often somebody who is told that the figures have changed looks and tries again.
TRIES = 5


def _decide(plan: Plan, start: Barrier, told: Any) -> None:
    decider = User.objects.get(pk=plan.person)
    rows = QuotaRequest.objects.select_related("project")
    asked = [rows.get(pk=each) for each in plan.requests]
    start.wait()
    began, granted, refused = time.monotonic(), 0, []
    for each in asked:
        try:
            _approve(each, decider)
        except DomainError as refusal:
            refused.append(str(refusal))
        else:
            granted += 1
    told.put((began, time.monotonic(), granted, refused))


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
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(len(plans)), context.Queue()
    children = [
        context.Process(target=_decide, args=(each, start, told), daemon=True) for each in plans
    ]
    for child in children:
        child.start()
    rows = [told.get(timeout=300) for _child in children]
    for child in children:
        child.join()
    return Decided(
        seconds=max(row[1] for row in rows) - min(row[0] for row in rows),
        granted=sum(row[2] for row in rows),
        refused=[words for row in rows for words in row[3]],
    )


if __name__ == "__main__":
    found = decide_at_once([Plan(**each) for each in json.load(sys.stdin)])
    json.dump(asdict(found), sys.stdout)
