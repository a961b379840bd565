"""Rules and others at one moment, and what they cost a submission that goes to people."""

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.testing.statements import TRANSACTION_CONTROL
from projects.models import Event, Project
from projects.states import Role
from quotas.actions import policies
from quotas.models import Decision
from quotas.tests.site import GIB, NOW, Site, join, make_project
from quotas.tests.test_automatic import LATER, ask, few, rule, states
from quotas.tests.threads import at_once


def test_a_rule_that_is_switched_off_meanwhile_grants_nothing_more(committed_site: Site) -> None:
    site = committed_site
    made = rule(site, few(site))
    acts = [
        lambda: ask(site, {site.vcpu.slug: 32}),
        lambda: policies.switch_off(policy=made, actor=site.dana, now=LATER),
    ]
    asked, off = at_once(acts)
    assert off.state == "off"
    granted = Decision.objects.filter(policy_version__policy=made).count()
    assert states(asked) == {"vcpu": "granted" if granted else "open"}
    switched = Event.objects.get(verb="policy switched off").pk
    later = Event.objects.filter(verb="approved", pk__gt=switched, actor=None)
    assert not later.exists() or granted == 1
    call_command("audit_ledger")


def test_two_at_once_never_leave_less_of_the_envelope_than_the_rule_says(
    committed_site: Site,
) -> None:
    site = committed_site
    rule(site, few(site, 100, envelope_left_percent=88))
    others = [make_project(site, f"other-{number}", "atlas", NOW) for number in range(4)]
    for each in others:
        join(each, site.alice, Role.OWNER, NOW)
    acts = [lambda each=each: ask(site, {site.vcpu.slug: 60}, project=each) for each in others]
    found = [states(each)["vcpu"] for each in at_once(acts)]
    assert sorted(found) == ["granted", "open", "open", "open"]
    assert site.envelope(site.vcpu) == 940


def test_rules_that_grant_nothing_cost_a_submission_one_query(site: Site) -> None:
    looks_at_everything = {
        "every_days": 7, "envelope_left_percent": 10, "zone_left_percent": 10,
        "usage_above_percent": 50,
    }  # fmt: skip
    wanted = {site.vcpu.slug: 64, site.space.slug: 10 * GIB}
    ask(site, wanted, project=make_askable(site))  # what is cached for the life of a process
    without = submission_cost(site, wanted)
    for unit, holder in (("atlas", "dana"), ("ep", "erin"), ("atlas", "dana")):
        rule(site, few(site, **looks_at_everything), by=holder, unit=unit)
    assert submission_cost(site, wanted) == without + 1
    assert without + 1 <= 12


def make_askable(site: Site) -> Project:
    made = make_project(site, f"other-{Project.objects.count()}", "atlas", NOW)
    join(made, site.alice, Role.OWNER, NOW)
    return made


def submission_cost(site: Site, wanted: dict[str, int]) -> int:
    """How many queries a request costs, which waits for people."""
    project = make_askable(site)
    with CaptureQueriesContext(connection) as captured:
        asked = ask(site, wanted, project=project)
    assert set(states(asked).values()) == {"open"}
    said = [each["sql"] for each in captured.captured_queries]
    return sum(not each.startswith(TRANSACTION_CONTROL) for each in said)
