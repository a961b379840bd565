"""The pages of those who decide and operate: what they show, do, refuse, and cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.testing.html import Reader
from projects.models import Unit
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Capacity,
    DelegationBound,
    Endpoint,
    QuotaRequest,
    Reading,
    Target,
)
from quotas.queries.accounts import audit
from quotas.states import EndpointState, LineState, TargetState
from quotas.tests.counting import assert_flat
from quotas.tests.site import GIB, Site, join, make_group, make_project


def signed_in(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def page(site: Site, name: str, url: str) -> Any:
    return signed_in(site, name).get(url)


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2000]
    return answer.content.decode()


def ask(site: Site, amounts: dict[str, int] | None = None, **more: object) -> QuotaRequest:
    wish = Wish(amounts or {site.vcpu.slug: 100}, "reprocessing <b>2026</b>", **more)  # type: ignore[arg-type]
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())


def ask_for_many(site: Site, count: int) -> None:
    """One request each of `count` new projects in three units."""
    since = timezone.now() - timedelta(hours=5)
    units = ("atlas", "ep", "it")
    for number in range(count):
        project = make_project(site, f"many-{number}", units[number % 2], since)
        join(project, site.alice, Role.OWNER, since)
        wish = Wish({site.vcpu.slug: 10 + number, site.space.slug: 5 * GIB}, "wave")
        requests.submit(
            project=project, wish=wish, actor=site.alice, now=since + timedelta(minutes=number)
        )


def form(site: Site, asked: QuotaRequest, **fields: str) -> dict[str, object]:
    """The fields as the page of now would send them, with changes."""
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    sent: dict[str, object] = {"version": str(asked.version), "line": [str(x.pk) for x in lines]}
    for line in lines:
        sent[f"seen-{line.pk}"] = str(site.quota(line.offering))
        sent[f"grant-{line.pk}"] = "as asked"
    return sent | fields


def act(site: Site, name: str, verb: str, asked: QuotaRequest, data: dict[str, object]) -> Any:
    return signed_in(site, name).post(reverse(f"request_{verb}", kwargs={"number": asked.pk}), data)


# The queue


def test_queue_shows_what_waits_for_me_with_its_envelope(site_today: Site) -> None:
    asked = ask(site_today)
    html = text(page(site_today, "dana", reverse("queue")))
    assert f"#{asked.pk}" in html
    assert "0 → 100 of 1000" in html
    assert "&lt;b&gt;2026" in html


def test_queue_is_empty_for_others_and_says_what_to_do(site_today: Site) -> None:
    ask(site_today)
    assert "Nothing waits for you" in text(page(site_today, "erin", reverse("queue")))
    assert "You decide for nobody yet" in text(page(site_today, "alice", reverse("queue")))


def test_queue_notices_what_is_short_beyond_the_bound_or_lent(site_today: Site) -> None:
    until = timezone.localdate() + timedelta(days=30)
    ask(site_today, {site_today.vcpu.slug: 1100}, until_on=until)
    html = text(page(site_today, "erin", reverse("queue")))
    assert "100 short: grant up to 1000 in all" in html
    assert "returns by itself" in html


def test_queue_notices_low_use(site_today: Site) -> None:
    asked = ask(site_today)
    note_use(site_today, used=10, limit=100)
    assert "vCPU in compute-a 10\u00a0% used" in text(page(site_today, "dana", reverse("queue")))
    assert "10 of 100" in text(page(site_today, "dana", reverse("decide", args=[asked.pk])))


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


def note_use(site: Site, *, used: int, limit: int) -> None:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Reading.objects.create(
        target=target, limit=target.endpoint.limits.get(key="cores"), used=used, reserved=0,
        limit_seen=limit, read_at=timezone.now(),
    )  # fmt: skip


def test_queue_narrows_by_unit_and_zone_and_orders_by_size(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    # Erin decides where no nearer delegate is: the odd ones are of EP itself.
    rows = numbers(page(site, "erin", reverse("queue")))
    assert rows == sorted(rows)
    assert len(rows) == 2
    assert numbers(page(site, "erin", reverse("queue") + "?order=largest")) == rows[::-1]
    assert numbers(page(site, "erin", reverse("queue") + "?unit=atlas")) == []
    assert numbers(page(site, "erin", reverse("queue") + "?unit=ep")) == rows
    zone = site.vcpu.zone_id
    assert numbers(page(site, "erin", reverse("queue") + f"?zone={zone}")) == rows
    assert numbers(page(site, "erin", reverse("queue") + "?zone=99999")) == []


@pytest.mark.parametrize(
    "query", ["unit=%00", "zone=-1", "zone=9" * 9, "page=0", "page=999999", "order=x"]
)
def test_queue_takes_nonsense_for_nothing(site_today: Site, query: str) -> None:
    assert page(site_today, "dana", f"{reverse('queue')}?{query}").status_code == 200


def numbers(answer: Any) -> list[int]:
    return [row.request.pk for row in answer.context["rows"]]


def test_queue_pages_through_more_than_fifty(site_today: Site) -> None:
    ask_for_many(site_today, 104)
    answer = page(site_today, "erin", reverse("queue"))
    assert len(numbers(answer)) == 50
    assert "1–50 of 52" in text(answer)
    assert len(numbers(page(site_today, "erin", reverse("queue") + "?page=2"))) == 2


def test_queue_costs_the_same_for_three_rows_and_fifty(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 6)
    erin = signed_in(site, "erin")

    def load() -> None:
        assert len(numbers(erin.get(reverse("queue")))) in (3, 50)

    def grow() -> None:
        since = timezone.now() - timedelta(hours=3)
        for number in range(47):
            unit = Unit.objects.create(
                slug=f"u{number}", name=f"U{number}", parent=site.units["ep"],
                path=f"org/ep/u{number}/",
            )  # fmt: skip
            site.units[unit.slug] = unit
            project = make_project(site, f"more-{number}", unit.slug, since)
            join(project, site.alice, Role.OWNER, since)
            requests.submit(
                project=project, wish=Wish({site.vcpu.slug: 10}, "wave"), actor=site.alice,
                now=since,
            )  # fmt: skip

    assert_flat("queue", load, grow)


# One decision


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
    assert f'href="{reverse("decide", args=[rows[2]])}?unit=ep" data-key="j"' in html


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


def test_frame_counts_the_queue_up_to_a_hundred(site_today: Site) -> None:
    ask(site_today)
    assert '<span class="count">1<' in text(page(site_today, "dana", reverse("catalogue")))
    assert '<span class="count">' not in text(page(site_today, "bob", reverse("catalogue")))


def reach_only(site: Site, *slugs: str) -> None:
    """Narrow what Dana's delegation speaks of to some resources."""
    bounds = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    bounds.exclude(resource__slug__in=slugs).delete()


def input_of(html: str, name: str, value: str | None = None) -> dict[str, str]:
    """The attributes of the page's one input of that name, and of that value."""
    found = Reader(html.replace("<!doctype html>", "")).all("input")
    (attrs,) = [
        each
        for each in found
        if each.get("name") == name and value in (None, each.get("value"))
    ]  # fmt: skip
    return attrs


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


def test_queue_notices_what_my_remit_does_not_name(site_today: Site) -> None:
    site = site_today
    ask(site, {site.vcpu.slug: 10, site.space.slug: GIB})
    reach_only(site, "vcpu")
    html = text(page(site, "dana", reverse("queue")))
    assert "not in your remit: Volume space in storage-a" in html
    assert "above your 0" not in html


def test_decide_tells_what_r_and_d_do(site_today: Site) -> None:
    asked = ask(site_today)
    html = text(page(site_today, "dana", reverse("decide", args=[asked.pk])))
    assert 'data-key="r d"' in html
    assert "write here" in html
    assert "on to Return, then to Decline" in html
    assert html.index("Return with this question") < html.index("Decline…")


# Operators


def refuse(site: Site, words: str) -> Target:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, error_id="ab12cd34", error_kind="refused", error_words=words,
        error_at=timezone.now(), failure_count=3, next_try_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    return target


def test_endpoints_tell_operators_the_services_own_words_escaped(site_today: Site) -> None:
    refuse(site_today, "<script>403</script> policy")
    url = reverse("endpoint_detail", args=["nova-geneva"])
    for name in ("otto", "audrey"):
        html = text(page(site_today, name, url))
        assert "&lt;script&gt;403&lt;/script&gt; policy" in html
        assert "ab12cd34" in html
    assert "Try now" in text(page(site_today, "otto", url))
    assert "Try now" not in text(page(site_today, "audrey", url))


def test_endpoint_list_counts_targets_and_names_silent_services(site_today: Site) -> None:
    refuse(site_today, "no")
    Endpoint.objects.filter(slug="cinder-geneva").update(state=EndpointState.UNREACHABLE)
    html = text(page(site_today, "otto", reverse("endpoint_list")))
    assert "does not answer" in html
    assert "refused" in html
    assert "1 of 3 services do not answer" in html


def test_endpoint_targets_can_be_narrowed_to_a_state(site_today: Site) -> None:
    target = refuse(site_today, "no")
    url = reverse("endpoint_detail", args=["nova-geneva"])
    shown = page(site_today, "otto", f"{url}?state=refused").context["page"].rows
    assert [each.pk for each in shown] == [target.pk]
    assert page(site_today, "otto", f"{url}?state=retrying").context["page"].rows == []


def test_retry_makes_a_target_due_again(site_today: Site) -> None:
    target = refuse(site_today, "no")
    client = signed_in(site_today, "otto")
    url = reverse("target_retry", args=["nova-geneva", target.pk])
    assert client.post(url).status_code == 302
    target.refresh_from_db()
    assert target.state == TargetState.DUE
    assert (
        client.post(reverse("target_retry", args=["cinder-geneva", target.pk])).status_code == 404
    )


def test_retry_of_an_applied_target_is_a_conflict(site_today: Site) -> None:
    target = refuse(site_today, "no")
    Target.objects.filter(pk=target.pk).update(state=TargetState.APPLIED, next_try_at=None)
    client = signed_in(site_today, "otto")
    assert client.post(reverse("target_retry", args=["nova-geneva", target.pk])).status_code == 409


def test_retry_of_an_endpoint_wakes_what_failed_and_not_what_was_skipped(site_today: Site) -> None:
    refused = refuse(site_today, "no")
    other = make_project(site_today, "other", "atlas", timezone.now())
    skipped = Target.objects.get(project=other, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=skipped.pk).update(state=TargetState.SKIPPED, skip_reason="gone")
    client = signed_in(site_today, "otto")
    assert client.post(reverse("endpoint_retry", args=["nova-geneva"])).status_code == 302
    assert Target.objects.get(pk=refused.pk).state == TargetState.DUE
    assert Target.objects.get(pk=skipped.pk).state == TargetState.SKIPPED
    assert client.post(reverse("endpoint_retry", args=["nova-geneva"])).status_code == 409


# Catalogue, units, remit


def test_catalogue_tells_members_room_as_a_word_and_deciders_as_figures(site_today: Site) -> None:
    Capacity.objects.create(offering=site_today.vcpu, amount=1000, as_of=timezone.localdate())
    member = text(page(site_today, "bob", reverse("catalogue")))
    assert "ample" in member
    assert "0 of 1000" not in member
    assert "0 of 1000" in text(page(site_today, "dana", reverse("catalogue")))


def test_unit_shows_figures_only_to_those_who_decide_there(site_today: Site) -> None:
    asked = ask(site_today)
    act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    atlas, above = (reverse("unit_detail", args=[slug]) for slug in ("atlas", "ep"))
    assert "100 of 1000" in text(page(site_today, "dana", atlas))
    assert "1000 of 2000" not in text(page(site_today, "dana", above))
    assert "1000 of 2000" in text(page(site_today, "erin", above))
    member = text(page(site_today, "bob", atlas))
    assert "100 of 1000" not in member
    assert "ample" in member
    assert "Dana" in member
    assert "Erin" not in member
    assert "atlas-reco" in member
    assert "atlas-reco" not in text(page(site_today, "mallory", atlas))


def test_units_are_a_tree_with_the_projects_one_sees(site_today: Site) -> None:
    html = text(page(site_today, "bob", reverse("unit_list")))
    assert html.index("ORG") < html.index("EP") < html.index("ATLAS")
    assert "1 project" in html
    assert "1 project" not in text(page(site_today, "mallory", reverse("unit_list")))


def test_remit_shows_bounds_and_chain(site_today: Site) -> None:
    html = text(page(site_today, "dana", reverse("remit")))
    assert "128" in html
    assert html.index("Otto") < html.index("Erin")
    assert "You hold no delegation" in text(page(site_today, "bob", reverse("remit")))


def test_delegation_is_seen_by_its_holder_and_above_only(site_today: Site) -> None:
    url = reverse("delegation_detail", args=[site_today.delegations["dana"].pk])
    statuses = {name: page(site_today, name, url).status_code for name in site_today.people}
    assert statuses == {
        "alice": 404, "bob": 404, "dana": 200, "erin": 200, "otto": 200, "mallory": 404,
        "rita": 404, "audrey": 200,
    }  # fmt: skip


def test_delegation_tells_how_it_stands(site_today: Site) -> None:
    erin = site_today.delegations["erin"]
    erin.revoked_at = timezone.now() - timedelta(minutes=1)
    erin.save(update_fields=["revoked_at"])
    dana = reverse("delegation_detail", args=[site_today.delegations["dana"].pk])
    assert "interrupted above" in text(page(site_today, "otto", dana))
    above = reverse("delegation_detail", args=[erin.pk])
    assert "revoked" in text(page(site_today, "otto", above))
