"""A dry run: the real action in a transaction that is undone, and what it made, read inside it.

So the plan is what the action did: the same rules, refusals and rows. Nobody is told and no
worker is woken, as both wait for a commit.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import Invalid

PARAMETER = "dry_run"

Made = TypeVar("Made")


def is_dry_run(request: Request, is_offered: bool) -> bool:
    """Whether a plan is asked for. Raises Invalid where there is none: better than doing it."""
    asked = request.query_params.getlist(PARAMETER)
    if asked in ([], ["false"]):
        return False
    if asked != ["true"]:
        raise Invalid({PARAMETER: [_("Say true or false, once.")]})
    if not is_offered:
        raise Invalid({PARAMETER: [_("There is no dry run of this. Nothing was done.")]})
    return True


def wants_plan(request: Request) -> bool:
    """Whether a view that has a dry run was asked for it; `is_dry_run` looked at it before."""
    return request.query_params.get(PARAMETER) == "true"


def rehearse(act: Callable[[], Made]) -> Made:
    """What `act` returns; all that it did is undone.

    It reads what is to be told while the rows are there, and locks are held as long: whatever
    else a plan tells is asked for afterwards. Raises what `act` raises.
    """
    with transaction.atomic():
        made = act()
        transaction.set_rollback(True)
    return made
