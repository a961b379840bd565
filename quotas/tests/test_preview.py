"""The preview: what changes, what it counts against, who decides, and each warning."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from projects.models import Delegation
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions import policies
from quotas.actions.policies import Terms
from quotas.models import Capacity, Reading, Target, UsagePeak
from quotas.queries.preview import Preview, preview
from quotas.states import EndpointState
from quotas.tests.counting import count_queries
from quotas.tests.site import GIB, NOW, Site, join
from quotas.tests.test_figures import give, read


def look(site: Site, amounts: dict[str, int], who: str = "alice") -> Preview:
    wanted = {site.offerings[slug]: amount for slug, amount in amounts.items()}
    return preview(Viewer.of(site.people[who], NOW), site.project, wanted)


def codes(found: Preview) -> list[str]:
    return [warning.code for warning in found.warnings]


def test_a_line_says_now_wanted_change_source_and_decider(site: Site) -> None:
    (line,) = look(site, {site.vcpu.slug: 64}).lines
    assert (line.now, line.wanted, line.change) == (0, 64, 64)
    assert line.room.holder == "ORG/EP/ATLAS"
    assert line.decider is not None
    assert [str(name) for name in line.decider.names] == ["Dana"]
    assert line.decider.unit == "ORG/EP/ATLAS"


def test_what_stays_as_it_is_says_nothing(site: Site) -> None:
    give(site, site.vcpu.slug, 64)
    assert look(site, {site.vcpu.slug: 64}).lines == ()


def test_too_much_for_the_nearest_goes_up(site: Site) -> None:
    (line,) = look(site, {site.vcpu.slug: 200}).lines
    assert line.decider is not None
    assert [str(name) for name in line.decider.names] == ["Erin"]


def test_who_holds_a_role_in_the_project_is_not_named(site: Site) -> None:
    join(site.project, site.dana, Role.MEMBER, NOW - timedelta(hours=1))
    (line,) = look(site, {site.vcpu.slug: 64}).lines
    assert line.decider is not None
    assert [str(name) for name in line.decider.names] == ["Erin"]


def test_nobody_to_decide_is_a_warning(site: Site) -> None:
    Delegation.objects.update(revoked_at=NOW - timedelta(days=1))
    found = look(site, {site.vcpu.slug: 64})
    assert found.lines[0].decider is None
    assert codes(found) == ["W20"]


def test_members_see_a_word_and_deciders_figures(site: Site) -> None:
    (plain,) = look(site, {site.vcpu.slug: 64}).lines
    assert (plain.room.word, plain.room.envelope, plain.room.zone) == ("ample", None, None)
    (figures,) = look(site, {site.vcpu.slug: 64}, "dana").lines
    assert figures.room.envelope is not None
    assert figures.room.envelope.size == 1000


@pytest.mark.parametrize(
    ("amount", "word", "expected"), [(700, "ample", []), (900, "tight", ["W07"]),
                                     (1001, "none", ["W08"])],
)  # fmt: skip
def test_room_is_told_as_a_word_with_its_warning(
    site: Site, amount: int, word: str, expected: list[str]
) -> None:
    found = look(site, {site.vcpu.slug: amount})
    assert found.lines[0].room.word == word
    assert codes(found) == expected


def test_what_would_be_oversold_is_said_to_those_who_see_figures(site: Site) -> None:
    Capacity.objects.create(
        offering=site.vcpu, amount=50, overcommit=Decimal("1"), as_of=date(2026, 1, 1)
    )
    assert "W09" in codes(look(site, {site.vcpu.slug: 64}, "dana"))
    assert codes(look(site, {site.vcpu.slug: 64})) == ["W07"]


def test_below_the_usage_last_seen_is_a_warning(site: Site) -> None:
    give(site, site.vcpu.slug, 100)
    read(site, "cores", used=75, reserved=5, limit=100)
    assert codes(look(site, {site.vcpu.slug: 80})) == []
    found = look(site, {site.vcpu.slug: 79})
    assert codes(found) == ["W01"]
    assert found.warnings[0].text == "cores: 80 in use in Nova geneva, above the new limit of 79."


def test_more_where_little_is_used_asks_for_a_reason(site: Site) -> None:
    give(site, site.vcpu.slug, 100)
    read(site, "cores", used=20, limit=100)
    assert codes(look(site, {site.vcpu.slug: 120})) == ["W12"]
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    UsagePeak.objects.create(
        target=target, limit=Reading.objects.get().limit, day=(NOW - timedelta(days=3)).date(),
        used=80, limit_seen=100,
    )  # fmt: skip
    assert codes(look(site, {site.vcpu.slug: 120})) == []


def test_a_silent_service_is_said(site: Site) -> None:
    give(site, site.vcpu.slug, 100)
    read(site, "cores", used=90, limit=100)
    site.endpoints["nova-geneva"].state = EndpointState.UNREACHABLE
    site.endpoints["nova-geneva"].save(update_fields=["state"])
    assert codes(look(site, {site.vcpu.slug: 120})) == ["W30"]


def test_a_preview_costs_the_same_for_one_line_and_for_all(site: Site) -> None:
    all_of_them = {slug: 64 if "vcpu" in slug else 64 * GIB for slug in site.offerings}
    few, __ = count_queries(lambda: look(site, {site.vcpu.slug: 64}))
    many, said = count_queries(lambda: look(site, all_of_them))
    assert few == many, said


def test_what_a_rule_would_grant_at_once_is_told_before_sending(site: Site) -> None:
    terms = Terms(resource=site.vcpu.resource, most_amount=32, envelope_left_percent=20)
    made = policies.make(
        unit=site.units["atlas"], name="Steps", terms=terms, actor=site.dana, now=NOW
    )
    policies.switch_on(policy=made, version=1, actor=site.dana, now=NOW)
    (line,) = look(site, {site.vcpu.slug: 32}).lines
    assert str(line.rule) == f"R{made.pk}.1"
    assert [(each.grants, each.findings) for each in line.rules] == [
        (
            True,
            (
                (True, "It adds 32; 32 at most."),
                (True, "Enough of the envelope would be left: more than 20\u00a0%."),
            ),
        )
    ]
    (line,) = look(site, {site.vcpu.slug: 33}).lines
    assert line.rule is None
    assert [each.findings[0] for each in line.rules] == [(False, "It adds 33; 32 at most.")]
    (ram,) = look(site, {"geneva.compute-a.ram": GIB}).lines
    assert (ram.rule, ram.rules) == (None, ())


def test_what_stands_in_a_rules_way_is_told_besides_its_conditions(site: Site) -> None:
    terms = Terms(resource=site.vcpu.resource, most_amount=32)
    made = policies.make(
        unit=site.units["atlas"], name="Steps", terms=terms, actor=site.dana, now=NOW
    )
    policies.switch_on(policy=made, version=1, actor=site.dana, now=NOW)
    join(site.project, site.dana, Role.MEMBER, NOW - timedelta(hours=1))
    (line,) = look(site, {site.vcpu.slug: 32}).lines
    assert line.rule is None
    assert line.rules[0].findings[-1] == (False, "Whoever it stands on may not grant this now.")


def test_all_or_nothing_is_promised_at_once_only_by_one_rule_for_all(site: Site) -> None:
    for resource in (site.vcpu.resource, site.space.resource):
        terms = Terms(resource=resource, most_amount=64 * resource.step)
        made = policies.make(
            unit=site.units["atlas"], name="Steps", terms=terms, actor=site.dana, now=NOW
        )
        policies.switch_on(policy=made, version=1, actor=site.dana, now=NOW)
    wanted = {site.vcpu: 32, site.space: GIB}
    viewer = Viewer.of(site.alice, NOW)
    each = preview(viewer, site.project, wanted)
    assert all(line.rule is not None for line in each.lines)
    together = preview(viewer, site.project, wanted, all_or_nothing=True)
    assert [line.rule for line in together.lines] == [None, None]
    assert together.lines[0].rules[0].findings[-1] == (
        False, "All or nothing is granted by one rule for all lines, or by people.",
    )  # fmt: skip
    alone = preview(viewer, site.project, {site.vcpu: 32}, all_or_nothing=True)
    assert alone.lines[0].rule is not None
    above = policies.make(
        unit=site.units["ep"], name="All", terms=Terms(most_percent=1000), actor=site.erin, now=NOW
    )
    policies.switch_on(policy=above, version=1, actor=site.erin, now=NOW)
    give(site, site.vcpu.slug, 16)
    give(site, site.space.slug, GIB)
    wanted = {site.vcpu: 32, site.space: 2 * GIB}
    together = preview(viewer, site.project, wanted, all_or_nothing=True)
    assert [str(line.rule) for line in together.lines] == [f"R{above.pk}.1"] * 2
