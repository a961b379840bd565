"""Random histories of authority: handed on, taken back, used up, moved, and looked at by time.

Whatever anybody may do is computed once more by quotas.tests.walk.slow_authority, before an act
and after it. In `make test` the walks are the same each time; `make walk` takes long ones from
another place each time, and says from which: WALK_SEED=… walks there again.
"""

import os
import random

import pytest

from quotas.tests.walk.ground import make_ground
from quotas.tests.walk.walks import ABOUT, PROFILES, walk

START = 4
# A walk that is refused at every turn would prove nothing.
MUST_HAPPEN = {
    "anything": ("delegate", "revoke", "submit", "approve"),
    "people": ("join_or_leave", "give_or_end", "name_deputy", "approve"),
    "places": ("move_unit", "move_project", "delegate", "revoke", "approve"),
    "amounts": ("approve", "change", "reissue", "switch_on", "delegate"),
    "time": ("time_passes", "approve", "name_deputy", "endorse"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ABOUT)
def test_authority_holds_through_any_history(name: str) -> None:
    kind = os.environ.get("HYPOTHESIS_PROFILE", "default")
    chosen = random.randrange(2**32) if kind == "long" else START
    start = int(os.environ.get("WALK_SEED") or chosen)
    print(f"\n{name}: WALK_SEED={start}")
    outcomes = walk(make_ground(), name, PROFILES[kind], start)
    print(dict(sorted(outcomes.items())))
    assert [verb for verb in MUST_HAPPEN[name] if not outcomes[f"{verb} done"]] == []
