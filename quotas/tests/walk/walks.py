"""What walks there are, how far they go, and how one is taken."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from quotas.tests.site import Site
from quotas.tests.walk.site_steps import SiteSteps

# What a walk is about comes more often in it, and the rest goes on around it.
ABOUT: Mapping[str, tuple[str, ...]] = {
    "anything": (),
    "people": (
        "somebody_joins_or_leaves_a_group", "a_role_is_given_or_ended", "names_a_deputy",
        "an_account_is_closed_or_opened", "approves", "asks",
    ),
    "places": (
        "a_unit_moves_or_is_retired", "a_project_moves", "hands_on", "takes_back", "asks",
        "asks_and_is_answered",
    ),
    "amounts": ("asks_and_is_answered", "funds", "takes_over", "makes_a_rule", "hands_on"),
    "time": ("time_passes", "asks", "endorses", "names_a_deputy", "approves"),
}  # fmt: skip
# How far: to be quick in `make test`, and to be thorough. One that fails is made short in the
# long ones alone: the quick ones say at once that something is wrong.
PROFILES = {
    "default": settings(
        max_examples=4, stateful_step_count=35, database=None, phases=[Phase.generate],
        report_multiple_bugs=False,
    ),
    "long": settings(
        max_examples=60, stateful_step_count=80, database=None,
        phases=[Phase.generate, Phase.shrink],
    ),
}  # fmt: skip


def walk(site: Site, name: str, how: settings, start: int) -> Counter[str]:
    """Take one from `make_ground`; how often what was done, and refused.

    start: the seed; the same one leads the same way.
    """
    outcomes: Counter[str] = Counter()
    made = type("Walk", (SiteSteps,), {"site": site, "about": ABOUT[name], "outcomes": outcomes})
    run_state_machine_as_test(
        seed(start)(made),
        settings=settings(how, deadline=None, suppress_health_check=list(HealthCheck)),
    )
    return outcomes
