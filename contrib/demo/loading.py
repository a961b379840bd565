"""Loads the demo site with its past: all of it, or nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import Event, Project, Unit, User
from quotas.catalogue.loading import load
from quotas.catalogue.reading import read_site
from quotas.models import QuotaRequest, Region

from .authority import hand_out, issue_and_fund, make_rules
from .history import BY_RULE, EVERYTHING
from .lately import change_envelopes, let_time_pass, name_a_deputy, see_what_is_old, write_to_dana
from .playing import Player
from .usage import Usage

SITE = Path(__file__).parent / "site.yaml"
AGE = timedelta(days=120)
LOADED = "demo loaded"


@dataclass(frozen=True)
class Loaded:
    """How much there is now."""

    project_count: int
    request_count: int
    peak_count: int


def is_loaded() -> bool:
    return Event.objects.filter(verb=LOADED).exists()


def load_demo(today: datetime) -> Loaded:
    """Make the demo site in an empty database, as if it had begun 120 days before `today`.

    Raises Conflict where there is a site already: its past cannot be made up around it.
    """
    with transaction.atomic():
        if any(model.objects.exists() for model in (User, Unit, Region, Project)):
            raise Conflict(
                "There is a site in this database already; the demo is for an empty one."
            )
        begun = today - AGE
        load(read_site(SITE.read_text(encoding="utf-8")), now=begun)
        hand_out(begun + timedelta(hours=1))
        issue_and_fund(begun + timedelta(hours=2))
        Player(today).play(EVERYTHING)
        make_rules(today)
        Player(today).play(BY_RULE)
        change_envelopes(today - timedelta(days=2.2))
        name_a_deputy(today)
        let_time_pass(today)
        write_to_dana(today)
        see_what_is_old(today)
        peak_count = Usage(today).keep_peaks()
        record(LOADED, actor=None, now=today)
    return Loaded(
        project_count=Project.objects.count(),
        request_count=QuotaRequest.objects.count(),
        peak_count=peak_count,
    )
