"""`python -m bench.parts.working.deciding PLAN`: several people decide at once, each a process.

PLAN is JSON: {decider's subject: [ids of requests]}. Each approves theirs as asked, one after the
other; prints what each took. In the site's environment.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.synchronize import Barrier
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - models need the setup above

from bench.parts.working.acts import approve  # noqa: E402
from portal.lib.errors import DomainError, Stale  # noqa: E402
from projects.models import User  # noqa: E402
from quotas.models import QuotaRequest  # noqa: E402

# As often somebody who is told that the figures have changed looks and tries again.
TRIES = 5


def _decide(subject: str, ids: Sequence[int], start: Barrier, told: Any) -> None:
    decider = User.objects.get(subject=subject)
    asked = [QuotaRequest.objects.select_related("project").get(pk=each) for each in ids]
    start.wait()
    began, granted, refused = time.monotonic(), 0, 0
    for each in asked:
        try:
            _approve(each, decider)
        except DomainError:
            refused += 1
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


def decide_at_once(plan: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """seconds, from the first decision's beginning to the last one's end; granted, refused."""
    # Nothing of a connection that is open may be shared with them.
    connection.close()
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(len(plan)), context.Queue()
    children = [
        context.Process(target=_decide, args=(subject, ids, start, told), daemon=True)
        for subject, ids in plan.items()
    ]
    for child in children:
        child.start()
    rows = [told.get(timeout=300) for _child in children]
    for child in children:
        child.join()
    return {
        "seconds": max(row[1] for row in rows) - min(row[0] for row in rows),
        "granted": sum(row[2] for row in rows),
        "refused": sum(row[3] for row in rows),
    }


if __name__ == "__main__":
    json.dump(decide_at_once(json.loads(sys.argv[1])), sys.stdout)
