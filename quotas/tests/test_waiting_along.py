"""What an assignment says of its request's place in a queue, through all that happens to a line."""

from datetime import timedelta

from django.db import connection, transaction

from projects.queries.viewers import Viewer
from quotas.actions import decide, delegations, drafts, requests
from quotas.actions.rerouting import work_off
from quotas.actions.routing import mark_unit
from quotas.actions.wishes import Wish
from quotas.models import Assignment, QuotaRequest, RequestLine
from quotas.queries.queue_walk import mark_waiting, misplaced
from quotas.queries.requests import assigned_lines
from quotas.states import LineState
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.test_decide import ask, grant

LATER = NOW + timedelta(hours=2)


def noted(asked: QuotaRequest) -> set[tuple[object, object]]:
    rows = Assignment.objects.filter(line__request=asked)
    return set(rows.values_list("asked_number", "asked_at"))


def in_order(asked: QuotaRequest) -> set[tuple[object, object]]:
    asked.refresh_from_db()
    return {(asked.pk, asked.submitted_at)}


def test_what_waits_has_its_requests_number_and_moment(site: Site) -> None:
    asked = ask(site)
    assert noted(asked) == in_order(asked) == {(asked.pk, NOW)}


def test_a_draft_has_its_moment_as_it_is_sent(site: Site) -> None:
    wish = Wish({site.vcpu.slug: 10}, "soon")
    draft = drafts.save(project=site.project, wish=wish, actor=site.alice, now=NOW)
    assert noted(draft) == set()
    drafts.submit(draft=draft, actor=site.alice, now=LATER)
    assert noted(draft) == in_order(draft) == {(draft.pk, LATER)}


def test_what_is_decided_waits_no_more(site: Site) -> None:
    asked = ask(site)
    grant(site, asked)
    assert noted(asked) == {(None, None)}
    assert Assignment.objects.filter(line__request=asked).exists()


def test_what_is_returned_waits_again_once_it_is_sent_again(site: Site) -> None:
    asked = ask(site)
    decide.return_(
        quota_request=asked, line_ids=[each.pk for each in asked.lines.all()], question="Why?",
        version=1, actor=site.dana, now=NOW + timedelta(hours=1),
    )  # fmt: skip
    assert noted(asked) == {(None, None)}
    requests.answer(
        quota_request=asked, text="For this.", wanted={}, version=2, actor=site.alice, now=LATER
    )
    assert noted(asked) == in_order(asked)


def test_who_is_asked_no_more_has_it_in_no_queue_and_who_is_asked_again_does(site: Site) -> None:
    asked = ask(site)
    kept = Assignment.objects.get(line__request=asked)
    Assignment.objects.filter(pk=kept.pk).update(delegation=site.delegations["erin"])
    mark_unit(site.units["atlas"], LATER)
    work_off(LATER)
    kept.refresh_from_db()
    assert (kept.ends_at, kept.asked_number, kept.asked_at) == (LATER, None, None)
    # Revoked, Dana's is over and Erin is asked again, by the same row.
    delegations.revoke(delegation=site.delegations["dana"], actor=site.erin, now=LATER)
    work_off(LATER + timedelta(minutes=1))
    kept.refresh_from_db()
    assert (kept.ends_at, kept.asked_number, kept.asked_at) == (None, asked.pk, NOW)
    over = Assignment.objects.get(line__request=asked, delegation=site.delegations["dana"])
    assert (over.asked_number, over.asked_at) == (None, None)


def test_what_ended_by_its_date_leaves_the_order_when_it_is_routed(site: Site) -> None:
    asked = ask(site)
    over = Assignment.objects.get(line__request=asked)
    ended = Assignment.objects.create(
        line=over.line, delegation=site.delegations["erin"], user=site.erin, starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
    )  # fmt: skip
    ended.refresh_from_db()
    assert ended.asked_number == asked.pk
    mark_unit(site.units["atlas"], LATER)
    work_off(LATER)
    ended.refresh_from_db()
    assert (ended.ends_at, ended.asked_number) == (NOW + timedelta(hours=1), None)


def test_it_follows_whoever_writes_in_one_statement_or_takes_it_back(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 10, site.space.slug: GIB})
    lines = RequestLine.objects.filter(request=asked)
    lines.filter(offering=site.vcpu).update(state=LineState.WITHDRAWN)
    assert noted(asked) == {(asked.pk, NOW), (None, None)}
    with transaction.atomic():
        lines.update(state=LineState.OPEN, waits_since=NOW)
        QuotaRequest.objects.filter(pk=asked.pk).update(submitted_at=LATER)
        assert noted(asked) == {(asked.pk, LATER)}
        transaction.set_rollback(True)
    assert noted(asked) == {(asked.pk, NOW), (None, None)}


def test_rows_that_were_written_past_the_triggers_are_put_in_order(site: Site) -> None:
    asked, decided = ask(site), ask(site, {site.space.slug: GIB})
    grant(site, decided)
    before = noted(asked)
    Assignment.objects.update(asked_number=None, asked_at=None)
    mark_waiting(NOW)
    assert noted(asked) == before
    assert noted(decided) == {(None, None)}


def test_the_order_is_an_index_that_a_table_is_not_needed_for(site: Site) -> None:
    ask(site)
    held = Assignment.objects.filter(user=site.dana, asked_number__isnull=False)
    rows = held.order_by("asked_at", "asked_number").values_list("asked_number", "line")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = rows.explain()
    assert "Index Only Scan using assignment_waits_user" in plan


def test_whoever_it_waits_for_has_it_in_order(site: Site) -> None:
    asked = ask(site)
    lines = assigned_lines(Viewer.of(site.dana, LATER))
    assert [each.request_id for each in lines] == [asked.pk]


def test_what_the_release_before_puts_in_force_again_is_in_its_queue(site: Site) -> None:
    """It knows no order: on a conflict it writes when an assignment begins and ends."""
    asked = ask(site)
    held = Assignment.objects.get(line__request=asked)
    Assignment.objects.filter(pk=held.pk).update(ends_at=LATER, asked_number=None, asked_at=None)
    assert noted(asked) == {(None, None)}
    again = Assignment(
        line_id=held.line_id, delegation_id=held.delegation_id, user_id=held.user_id,
        kind=held.kind, starts_at=LATER,
    )  # fmt: skip
    Assignment.objects.bulk_create(
        [again], update_conflicts=True, unique_fields=["line", "delegation"],
        update_fields=["kind", "level", "starts_at", "ends_at"],
    )  # fmt: skip
    assert noted(asked) == in_order(asked)


def test_what_lost_its_place_is_told_and_gets_it_back_as_it_is_routed(site: Site) -> None:
    asked, decided = ask(site), ask(site, {site.space.slug: GIB})
    grant(site, decided)
    assert misplaced(LATER) == []
    held = Assignment.objects.get(line__request=asked)
    Assignment.objects.filter(pk=held.pk).update(asked_number=None, asked_at=None)
    left = Assignment.objects.get(line__request=decided)
    Assignment.objects.filter(pk=left.pk).update(asked_number=decided.pk)
    assert misplaced(LATER) == [(held.pk, asked.pk), (left.pk, decided.pk)]
    mark_unit(site.units["atlas"], LATER)
    work_off(LATER)
    assert noted(asked) == in_order(asked)
    assert misplaced(LATER) == [(left.pk, decided.pk)]
    # Ended by another's clock, a little ahead.
    ended = Assignment.objects.filter(pk=held.pk)
    ended.update(ends_at=LATER + timedelta(seconds=9), asked_number=None, asked_at=None)
    assert misplaced(LATER) == [(left.pk, decided.pk)]
    ended.update(ends_at=None)
    QuotaRequest.objects.filter(pk=asked.pk).update(submitted_at=LATER)
    ended.update(asked_at=NOW)
    assert (held.pk, asked.pk) in misplaced(LATER)
