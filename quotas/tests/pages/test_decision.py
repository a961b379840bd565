"""The page of a decision: its figures, its verbs and every refusal."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Capacity,
)
from quotas.queries.accounts import audit
from quotas.states import LineState
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import (
    act,
    ask,
    ask_for_many,
    form,
    input_of,
    note_use,
    numbers,
    page,
    reach_only,
    signed_in,
    text,
)
from quotas.tests.site import GIB, Site, join, make_group, make_project


def test_a_decrease_below_use_is_noticed_and_can_be_granted(site_today: Site) -> None:
    first = ask(site_today)
    act(site_today, "dana", "approve", first, form(site_today, first, do="asked"))
    note_use(site_today, used=60, limit=100)
    asked = ask(site_today, {site_today.vcpu.slug: 40})
    assert "more vCPU in use in compute-a" in text(page(site_today, "dana", reverse("queue")))
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])))
    assert "More is in use: 60 of 100" in html
    assert "written only once use has fallen to that" in html
    answer = act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    assert answer.status_code == 302
    assert site_today.quota(site_today.vcpu) == 40


def test_decide_shows_figures_before_and_after_and_why_i_may(site_today: Site) -> None:
    asked = ask(site_today)
    Capacity.objects.create(
        offering=site_today.vcpu, amount=500, overcommit=2, as_of=timezone.localdate()
    )
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])))
    assert "0 → 100 of 1000" in html
    assert "0 → 10\u00a0%" in html
    assert "100 of 128" in html
    assert 'value="100"' in html
    for name in ("Otto", "Erin", "Dana"):
        assert name in html


def test_decide_without_capacity_says_unknown(site_today: Site) -> None:
    asked = ask(site_today)
    assert "no capacity was given" in text(
        page(site_today, "dana", reverse("decide", args=[asked.pk]))
    )


def test_decide_proposes_what_is_possible_and_says_who_could_help(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 1100})
    html = text(page(site_today, "erin", reverse("decide", args=[asked.pk])))
    assert "No room for 1100: ORG/EP/ATLAS has 1000 left in compute-a" in html
    assert "At most 1000 can be granted here now." in html
    assert "ORG/EP holds 1000 more: ask Otto to fund you." in html
    assert 'value="1000"' in html


def test_decide_beyond_my_bound_names_who_may(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 200})
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])))
    assert "Above your remit: 128 vCPU per decision, this adds 200" in html
    assert "Leave the line as it is, and Erin or Otto can grant it." in html


def test_approve_as_asked_books_and_goes_to_the_next(site_today: Site) -> None:
    first = ask(site_today)
    second = ask(site_today, {site_today.space.slug: 5 * GIB})
    answer = act(site_today, "dana", "approve", first, form(site_today, first, do="asked"))
    assert (answer.status_code, answer["Location"]) == (302, reverse("decide", args=[second.pk]))
    assert site_today.quota(site_today.vcpu) == 100
    answer = act(site_today, "dana", "approve", second, form(site_today, second, do="asked"))
    assert answer["Location"] == reverse("queue")
    assert audit() == []


def test_approve_as_edited_grants_what_was_typed(site_today: Site) -> None:
    asked = ask(site_today, {site_today.space.slug: 20 * GIB})
    line = asked.lines.get()
    data = form(site_today, asked, do="edited", note="for now") | {f"grant-{line.pk}": "8G"}
    assert act(site_today, "dana", "approve", asked, data).status_code == 302
    assert site_today.quota(site_today.space) == 8 * GIB
    assert asked.decisions.get().reason == "for now"


def test_approve_only_the_ticked_lines(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 10, site_today.space.slug: GIB})
    line = asked.lines.get(offering=site_today.vcpu)
    data = form(site_today, asked, do="asked") | {"line": [str(line.pk)]}
    act(site_today, "dana", "approve", asked, data)
    assert dict(asked.lines.values_list("offering__zone__slug", "state")) == {
        "compute-a": LineState.GRANTED, "storage-a": LineState.OPEN,
    }  # fmt: skip


@pytest.mark.parametrize(
    "typed", ["", "lots", "-5", "1e9", "0", "101", "999999999999999999999", "1\x00", "9" * 41]
)
def test_approve_of_an_illegal_amount_is_refused_and_kept(site_today: Site, typed: str) -> None:
    asked = ask(site_today)
    line = asked.lines.get()
    data = form(site_today, asked, do="edited", note="kept?") | {f"grant-{line.pk}": typed}
    html = text(act(site_today, "dana", "approve", asked, data), 422)
    assert f'href="#grant-{line.pk}"' in html
    assert "kept?" in html
    assert asked.lines.get().state == LineState.OPEN


def test_approve_with_moved_figures_is_stale_and_shows_the_new_ones(site_today: Site) -> None:
    asked = ask(site_today)
    line = asked.lines.get()
    data = form(site_today, asked, do="asked", note="kept?") | {f"seen-{line.pk}": "7"}
    html = text(act(site_today, "dana", "approve", asked, data), 412)
    assert "The figures changed while you were reading" in html
    assert f'name="seen-{line.pk}" value="0"' in html
    assert "kept?" in html


def test_approve_of_an_amended_request_is_stale(site_today: Site) -> None:
    asked = ask(site_today)
    data = form(site_today, asked, do="asked")
    requests.amend(
        quota_request=asked, wanted={asked.lines.get().pk: 50}, reason="less",
        version=asked.version, actor=site_today.alice, now=timezone.now(),
    )  # fmt: skip
    html = text(act(site_today, "dana", "approve", asked, data), 412)
    asked.refresh_from_db()
    assert f'name="version" value="{asked.version}"' in html


def test_approve_twice_is_a_conflict_even_with_a_stale_page(site_today: Site) -> None:
    asked = ask(site_today)
    data = form(site_today, asked, do="asked")
    act(site_today, "dana", "approve", asked, data)
    html = text(act(site_today, "dana", "approve", asked, data), 409)
    assert "No line waits for a decision" in html


def test_approve_without_room_is_refused_with_the_shortfall(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 1100})
    html = text(act(site_today, "erin", "approve", asked, form(site_today, asked, do="asked")), 409)
    assert "ORG/EP/ATLAS has 1000 left of vCPU in compute-a" in html


def test_approve_above_my_bound_is_refused(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 200})
    html = text(act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked")), 403)
    assert "Your remit allows 128" in html


@pytest.mark.parametrize("lines", [[], ["x"], ["-1"], ["99999999"], ["9" * 30]])
def test_approve_of_no_line_or_anothers_is_invalid(site_today: Site, lines: list[str]) -> None:
    asked = ask(site_today)
    data = form(site_today, asked, do="asked") | {"line": lines}
    assert act(site_today, "dana", "approve", asked, data).status_code == 422


def test_return_sends_the_question(site_today: Site) -> None:
    asked = ask(site_today)
    answer = act(
        site_today, "dana", "return", asked, form(site_today, asked, reason="Why so many?")
    )
    assert answer.status_code == 302
    assert asked.lines.get().state == LineState.RETURNED
    assert asked.decisions.get().reason == "Why so many?"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "bell\x07"])
def test_return_or_decline_without_a_readable_reason_is_invalid(
    site_today: Site, reason: str
) -> None:
    asked = ask(site_today)
    for verb, more in (("return", {}), ("decline", {}), ("decline", {"confirmed": "yes"})):
        data = form(site_today, asked, reason=reason) | more
        assert 'href="#reason"' in text(act(site_today, "dana", verb, asked, data), 422)
    assert asked.lines.get().state == LineState.OPEN


def test_decline_asks_again_before_it_is_done(site_today: Site) -> None:
    asked = ask(site_today)
    data = form(site_today, asked, reason="Not <this> year")
    html = text(act(site_today, "dana", "decline", asked, data))
    assert "Decline for good" in html
    assert "Not &lt;this&gt; year" in html
    assert asked.lines.get().state == LineState.OPEN
    assert act(site_today, "dana", "decline", asked, data | {"confirmed": "yes"}).status_code == 302
    assert asked.lines.get().state == LineState.DECLINED


def test_decide_walks_the_queue_and_keeps_its_filter(site_today: Site) -> None:
    ask_for_many(site_today, 8)
    rows = numbers(page(site_today, "erin", reverse("queue")))
    html = text(page(site_today, "erin", reverse("decide", args=[rows[1]]) + "?unit=ep"))
    assert f'href="{reverse("decide", args=[rows[0]])}?unit=ep" data-key="k"' in html
    assert f'href="{reverse("decide", args=[rows[2]])}?unit=ep" data-key="j n"' in html


def test_decide_costs_the_same_for_one_line_and_three(site_today: Site) -> None:
    one = ask(site_today)
    three = {slug: 10 * each.resource.step for slug, each in site_today.offerings.items()}
    url = [reverse("decide", args=[one.pk])]
    dana = signed_in(site_today, "dana")

    def load() -> None:
        assert dana.get(url[0]).status_code == 200

    def grow() -> None:
        other = make_project(site_today, "other", "atlas", timezone.now() - timedelta(hours=1))
        join(other, site_today.alice, Role.OWNER, timezone.now() - timedelta(hours=1))
        asked = requests.submit(
            project=other, wish=Wish(three, "all"), actor=site_today.alice, now=timezone.now()
        )
        url[0] = reverse("decide", args=[asked.pk])

    assert_flat("decide", load, grow)


def test_decide_is_closed_to_members_and_unknown_to_strangers(site_today: Site) -> None:
    asked = ask(site_today)
    url = reverse("decide", args=[asked.pk])
    assert page(site_today, "alice", url).status_code == 403
    assert page(site_today, "mallory", url).status_code == 404
    assert page(site_today, "dana", reverse("decide", args=[10**17])).status_code == 404


def test_decide_in_my_own_project_is_forbidden(site_today: Site) -> None:
    asked = ask(site_today)
    group = make_group("team", site_today.dana, since=timezone.now() - timedelta(hours=1))
    join(site_today.project, group, Role.MEMBER, timezone.now() - timedelta(hours=1))
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])), 403)
    assert "You hold a role in atlas-reco" in html


def test_decide_shows_beforehand_which_line_is_beyond_my_remit(site_today: Site) -> None:
    site = site_today
    reach_only(site, "vcpu")
    asked = ask(site, {site.vcpu.slug: 10, site.space.slug: GIB})
    html = text(page(site, "dana", reverse("decide", args=[asked.pk])))
    assert "Your remit says nothing about Volume space in storage-a" in html
    assert "It stays open; Erin or Otto can decide it." in html
    mine, other = (asked.lines.get(offering=each) for each in (site.vcpu, site.space))
    tick = input_of(html, "line", str(mine.pk))
    assert ("checked" in tick, "disabled" in tick) == (True, False)
    tick = input_of(html, "line", str(other.pk))
    assert ("checked" in tick, "disabled" in tick) == (False, True)
    assert "disabled" in input_of(html, f"grant-{other.pk}")
    assert "Approve as asked" in html
    # What the page lets through is what the action lets through.
    data = form(site, asked, do="asked") | {"line": [str(mine.pk)]}
    assert act(site, "dana", "approve", asked, data).status_code == 302
    other.refresh_from_db()
    assert other.state == LineState.OPEN


@pytest.mark.parametrize("all_or_nothing", [True, False])
def test_decide_offers_no_verb_where_my_remit_names_nothing_of_it(
    site_today: Site, all_or_nothing: bool
) -> None:
    site = site_today
    reach_only(site, "vcpu" if all_or_nothing else "ram")
    amounts = {site.vcpu.slug: 10, site.space.slug: GIB}
    asked = ask(site, amounts, all_or_nothing=all_or_nothing)
    html = text(page(site, "dana", reverse("decide", args=[asked.pk])))
    assert "somebody above you decides" in html
    for words in ("Approve as", "Return with this question", "Decline…"):
        assert words not in html


def test_decide_tells_what_r_and_d_do(site_today: Site) -> None:
    asked = ask(site_today)
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])))
    assert 'data-key="r d"' in html
    assert "write here" in html
    assert "on to Return, then to Decline" in html
    assert html.index("Return with this question") < html.index("Decline…")
