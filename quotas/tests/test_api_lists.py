"""What every list does: an order, chosen fields, pages by cursor, CSV, what changed since."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from portal.lib.together import Statement
from projects.actions.delegations import revoke
from projects.actions.people import set_group_members
from projects.actions.projects import set_role
from projects.actions.units import move_unit
from projects.models import Project
from projects.states import ProjectState, Role
from quotas.actions.envelopes import fund
from quotas.actions.rerouting import route_again
from quotas.api.sheets import cells, lines
from quotas.models import Transfer
from quotas.tests.access.case import make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.api import Caller, approval, caller, grant, refusal, results, submit
from quotas.tests.counting import count_queries
from quotas.tests.site import Site, join, make_group, make_project, make_site


@pytest.fixture
def projects(site_today: Site) -> list[str]:
    """Slugs of the projects that Alice sees, made at one moment."""
    now = timezone.now() - timedelta(hours=1)
    for number in range(5):
        join(
            make_project(site_today, f"p{number}", "atlas", now), site_today.alice, Role.OWNER, now
        )
    return sorted(Project.objects.values_list("slug", flat=True))


def walk(person: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """The rows of all pages."""
    answer = person.get(path, **query)
    found = results(answer)
    while answer.json()["next"]:
        answer = person.client.get(answer.json()["next"])
        found += results(answer)
    return found


def sheet(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("size", ["1", "2", "3", "200"])
@pytest.mark.parametrize("order", ["slug", "-slug", "created_at", "-created_at"])
def test_whoever_follows_next_sees_each_row_once(
    site_today: Site, projects: list[str], size: str, order: str
) -> None:
    found = walk(caller(site_today, "alice"), "projects/", page_size=size, order=order)
    slugs = [each["slug"] for each in found]
    assert sorted(slugs) == projects
    key = order.removeprefix("-")
    values = [each[key] for each in found]
    assert values == sorted(values, reverse=order.startswith("-"))


@pytest.mark.parametrize("size", ["1", "200"])
@pytest.mark.parametrize("order", ["id", "-id"])
def test_transfers_of_a_project_are_those_of_its_accounts(
    site_today: Site, size: str, order: str
) -> None:
    """Found by the accounts, and the same as all that were made say."""
    alice = caller(site_today, "alice")
    grant(site_today)
    dana = caller(site_today, "dana")
    for amount in (120, 90):
        asked = submit(site_today, {site_today.vcpu.slug: amount})
        answer = dana.post(f"requests/{asked.pk}/approve/", approval(site_today, asked))
        assert answer.status_code == 200
    rows = Transfer.objects.filter(
        Q(debit__project__slug="atlas-reco") | Q(credit__project__slug="atlas-reco")
    )
    found = walk(alice, "projects/atlas-reco/transfers/", page_size=size, order=order)
    assert [each["id"] for each in found] == [each.pk for each in rows.order_by(order)]
    assert len(found) >= 3


def test_the_first_page_is_of_who_asks_and_of_now(site_today: Site, projects: list[str]) -> None:
    """Its statement is made once, and asked for each person and after each change anew."""
    names = ("alice", "mallory", "dana", "otto", "alice", "mallory")

    def seen() -> list[list[str]]:
        people = [caller(site_today, name) for name in names]
        return [[each["slug"] for each in results(one.get("projects/"))] for one in people]

    before = seen()
    assert before[0] == before[4] == projects
    assert before[1] == before[5] == []
    assert before[2] == before[3] == sorted(Project.objects.values_list("slug", flat=True))
    join(Project.objects.get(slug=projects[0]), site_today.mallory, Role.READER, timezone.now())
    assert seen()[1] == projects[:1]
    Project.objects.filter(slug=projects[0]).update(state=ProjectState.DROPPED)
    assert seen()[1] == []
    assert [
        each["slug"]
        for each in results(caller(site_today, "mallory").get("projects/", state="dropped"))
    ] == projects[:1]


def test_pages_of_all_sizes_are_few_statements(
    site_today: Site, projects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be planned and kept by every connection of every process."""
    alice = caller(site_today, "alice")
    count = len(results(alice.get("projects/", page_size="50")))
    assert count == len(projects) > 3
    alice.get("events/", page_size="50")
    made, make = [], Statement.of

    def counting(parts: Any) -> Statement:
        made.append(parts)
        return make(parts)

    monkeypatch.setattr(Statement, "of", counting)
    for size in (1, 2, 3, 50):
        answer = alice.get("projects/", page_size=str(size))
        assert [each["slug"] for each in results(answer)] == projects[:size]
        assert (answer.json()["next"] is None) == (size >= count)
        assert len(results(alice.get("events/", page_size=str(size)))) <= size
    assert made == []


def test_previous_leads_back_to_the_same_page(site_today: Site, projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    first = alice.get("projects/", page_size="2")
    second = alice.client.get(first.json()["next"])
    assert first.json()["previous"] is None
    back = alice.client.get(second.json()["previous"]).json()
    assert back["results"] == first.json()["results"]
    assert back["previous"] is None
    assert alice.client.get(back["next"]).json()["results"] == second.json()["results"]


def test_a_page_is_capped(site_today: Site, projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    assert len(results(alice.get("projects/", page_size="9999"))) == len(projects)
    for wrong in ("0", "-1", "x", "١"):
        assert refusal(alice.get("projects/", page_size=wrong)) == (422, "invalid")


def test_the_named_fields_alone_are_sent(site_today: Site, projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    found = results(alice.get("projects/", fields="slug,state"))
    assert found[0] == {"slug": "atlas-reco", "state": "active"}
    assert alice.get("projects/atlas-reco/", fields="state").json() == {"state": "active"}
    accounts = results(alice.get("projects/atlas-reco/accounts/", fields="offering"))
    assert all(set(each) == {"offering"} for each in accounts)


def test_the_named_fields_alone_are_worked_out(site_today: Site) -> None:
    submit(site_today)
    alice = caller(site_today, "alice")
    few, _said = count_queries(lambda: alice.get("requests/", fields="id,reason"))
    every, _said = count_queries(lambda: alice.get("requests/"))
    assert every - few == 1  # its lines, whom they wait for, and their deliveries


@pytest.mark.parametrize(
    ("query", "pointer", "known"),
    [
        ({"fields": "slug,colour"}, "#/fields", "unit_path"),
        ({"fields": ""}, "#/fields", "slug"),
        ({"order": "name"}, "#/order", "-created_at"),
        ({"order": "id"}, "#/order", "slug"),
    ],
)
def test_what_is_not_declared_is_refused_with_what_there_is(
    site_today: Site, query: dict[str, str], pointer: str, known: str
) -> None:
    answer = caller(site_today, "alice").get("projects/", **query)
    assert refusal(answer) == (422, "invalid")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert known in error["detail"]


@pytest.mark.parametrize("name", ["updated_since", "updated_until"])
def test_a_list_that_is_not_followed_knows_no_marker(site_today: Site, name: str) -> None:
    answer = caller(site_today, "alice").get("regions/", **{name: "1.0"})
    assert refusal(answer) == (422, "invalid")


def test_whatever_is_read_knows_its_fields(module_database: object) -> None:
    """Lists and details of today and later, by the samples of the test of access."""
    case = make_case(make_site(timezone.now() - timedelta(days=1)))
    client = caller(case.site, "otto").client
    for name, samples in SAMPLES.items():
        for sample in samples:
            if not name.startswith("api_") or name == "api_schema" or sample.method != "GET":
                continue
            url = reverse(name, kwargs=sample.kwargs(case))
            before = client.get(url + sample.query)
            if before.status_code != 200:
                continue
            sign = "&" if sample.query else "?"
            answer = client.get(f"{url}{sample.query}{sign}fields=no_such_field")
            assert answer.status_code == 422, (name, answer.content)
            assert answer.json()["errors"][0]["pointer"] == "#/fields", name


def test_a_list_is_a_sheet_of_all_its_rows(site_today: Site, projects: list[str]) -> None:
    answer = caller(site_today, "alice").client.get(
        "/api/v1/projects/?page_size=2&order=-slug", headers={"Accept": "text/csv"}
    )
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == 'attachment; filename="projects.csv"'
    rows = sheet(answer)
    assert [each["slug"] for each in rows] == projects[::-1]
    assert rows[0]["roles"] == "owner"


@pytest.mark.parametrize("path", ["requests/?format=xml", "regions/?format=yaml", "me/?format=0"])
def test_a_form_that_there_is_not_is_refused_as_one(site_today: Site, path: str) -> None:
    answer = caller(site_today, "alice").client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_nested_values_have_columns_and_lists_are_joined(site_today: Site) -> None:
    asked = submit(site_today, {site_today.vcpu.slug: 100, site_today.space.slug: 2**30})
    answer = caller(site_today, "alice").client.get("/api/v1/requests/?format=csv")
    (row,) = sheet(answer)
    assert (row["id"], row["project.slug"]) == (str(asked.pk), "atlas-reco")
    assert row["lines.wanted"] == f"100; {2**30}"
    assert set(row["lines.waits_for.name"].split("; ")) == {"Dana"}
    assert row["until_on"] == ""


def test_a_sheet_has_the_fields_that_were_asked_for(site_today: Site) -> None:
    submit(site_today)
    answer = caller(site_today, "alice").client.get("/api/v1/requests/?format=csv&fields=id,reason")
    assert list(sheet(answer)[0]) == ["id", "reason"]


def test_a_sheet_is_read_page_by_page(site_today: Site) -> None:
    """More rows than a page holds, and no more queries than pages ask for."""
    now = timezone.now()
    Project.objects.bulk_create(
        Project(slug=f"many-{number:04}", name=f"many-{number:04}", unit=site_today.units["atlas"],
                state="active", created_at=now)
        for number in range(450)
    )  # fmt: skip
    client = caller(site_today, "otto").client
    found: list[dict[str, str]] = []
    count, said = count_queries(
        lambda: found.extend(sheet(client.get("/api/v1/projects/?format=csv")))
    )
    assert len(found) == 451
    # Signed in, the viewer, the marker; then rows and roles for each of three pages.
    assert count == 4 + 3 * 2, said


def test_a_wrong_call_is_refused_before_a_sheet_begins(site_today: Site) -> None:
    answer = caller(site_today, "alice").client.get("/api/v1/projects/?format=csv&cursor=x")
    assert refusal(answer) == (422, "invalid")


def test_what_is_no_list_is_no_sheet(site_today: Site) -> None:
    alice = caller(site_today, "alice").client
    for url in ("/api/v1/me/", "/api/v1/projects/atlas-reco/"):
        answer = alice.get(url, headers={"Accept": "text/csv"})
        assert refusal(answer) == (406, "not_acceptable")
    answer = alice.post("/api/v1/requests/", {}, "application/json", headers={"Accept": "text/csv"})
    assert refusal(answer) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("  =1", "'  =1"), ("a;=cmd", "a;'=cmd"), ("a, @b", "a,' @b"),
        ('say "=1"', 'say "\'=1"'), ("a\n=1", "a\n'=1"), ("\uff1d1", "'\uff1d1"),
        ("a-b = c", "a-b = c"), (-5, -5), (-2.5, -2.5), (True, "true"), (None, ""),
        ("2026-11-21", "2026-11-21"), ({"b": 1, "a": "x"}, '{"a": "x", "b": 1}'),
        ([1, -2], "1; -2"), ([], ""), (["=1", "b"], "'=1; b"),
    ],
)  # fmt: skip
def test_a_text_is_never_a_formula_and_a_number_stays_one(value: Any, cell: Any) -> None:
    assert cells({"a": value}, [("a",)]) == [cell]


def test_a_cell_is_quoted_where_it_must_be() -> None:
    assert "".join(lines([["a,b", 'c"d', "e\nf", 5]])) == '"a,b","c""d","e\nf",5\r\n'


# --- What changed since -----------------------------------------------------------------


def marked(answer: Any) -> tuple[list[int], str]:
    return [each["id"] for each in results(answer)], answer.json()["updated_until"]


@pytest.fixture
def committed(database_copy: object) -> Site:
    return make_site(timezone.now() - timedelta(days=1))


def test_only_what_changed_since_is_told(committed: Site) -> None:
    alice = caller(committed, "alice")
    asked = submit(committed)
    all_of_it, mark = marked(alice.get("requests/"))
    assert all_of_it == [asked.pk]
    assert marked(alice.get("requests/", updated_since=mark))[0] == []
    other = submit(committed, {committed.space.slug: 2**30})
    found, after = marked(alice.get("requests/", updated_since=mark))
    assert found == [other.pk]
    alice.post(f"requests/{asked.pk}/comment/", {"text": "Please"})
    assert marked(alice.get("requests/", updated_since=after))[0] == [asked.pk]


def test_a_moment_tells_rather_too_much(committed: Site) -> None:
    alice, asked = caller(committed, "alice"), submit(committed)
    now = timezone.now()
    assert marked(alice.get("requests/", updated_since=now.isoformat()))[0] == [asked.pk]
    later = (now + timedelta(hours=2)).isoformat()
    assert marked(alice.get("requests/", updated_since=later))[0] == []
    for wrong in ("x", "2026-11-21T10:00:00", "2026-13-45", "1.2.3", "0001-01-01T00:00:00Z"):
        assert refusal(alice.get("requests/", updated_since=wrong)) == (422, "invalid")


def test_a_decision_tells_of_itself_and_of_what_starts_from_another_quota(
    committed: Site,
) -> None:
    dana = caller(committed, "dana")
    first = submit(committed)
    answer = dana.post(f"requests/{first.pk}/approve/", approval(committed, first))
    assert answer.status_code == 200, answer.content
    second = submit(committed, {committed.vcpu.slug: 120})
    submit(committed, {committed.space.slug: 2**30})  # another offering, so nothing of it changed
    _all, mark = marked(dana.get("requests/"))
    __, of_decisions = marked(dana.get("decisions/"))
    answer = dana.post(f"requests/{second.pk}/approve/", approval(committed, second))
    assert answer.status_code == 200, answer.content
    assert marked(dana.get("requests/", updated_since=mark))[0] == [second.pk, first.pk]
    decided = marked(dana.get("decisions/", updated_since=of_decisions))[0]
    assert decided == [answer.json()["id"]]


def test_drafts_are_nobodys_news(committed: Site) -> None:
    alice = caller(committed, "alice")
    _all, mark = marked(alice.get("requests/"))
    body = {"project": "atlas-reco", "lines": {committed.vcpu.slug: 5}, "draft": True}
    draft = alice.post("requests/", body).json()["id"]
    found, mark = marked(alice.get("requests/", updated_since=mark))
    assert found == []
    alice.put(f"requests/{draft}/", {"lines": {committed.vcpu.slug: 6}, "reason": "tests"})
    assert alice.post(f"requests/{draft}/submit/").status_code == 200
    assert marked(alice.get("requests/", updated_since=mark))[0] == [draft]


def test_projects_are_told_of_by_roles_groups_and_where_their_unit_stands(
    committed: Site,
) -> None:
    otto, now = caller(committed, "otto"), timezone.now()
    elsewhere = make_project(committed, "it-tools", "it", now).slug
    group = make_group("atlas-ops")
    _all, mark = slugs(otto.get("projects/"))
    set_role(project=committed.project, role=Role.READER, group=group, actor=None, now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    set_group_members(group=group, users=[committed.mallory], now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    move_unit(unit=committed.units["ep"], parent=committed.units["it"], actor=None, now=now)
    found, mark = slugs(otto.get("projects/", updated_since=mark))
    assert found == ["atlas-reco"]
    assert elsewhere not in found


def slugs(answer: Any) -> tuple[list[str], str]:
    return [each["slug"] for each in results(answer)], answer.json()["updated_until"]


def test_a_delegation_is_told_of_when_one_above_it_is_revoked(committed: Site) -> None:
    otto = caller(committed, "otto")
    of_erin, of_dana = committed.delegations["erin"], committed.delegations["dana"]
    _all, mark = marked(otto.get("delegations/"))
    revoke(delegation=of_erin, why="tests", actor=committed.otto, now=timezone.now())
    assert marked(otto.get("delegations/", updated_since=mark))[0] == [of_erin.pk, of_dana.pk]


def test_an_act_on_an_envelope_is_told_of_once(committed: Site) -> None:
    dana = caller(committed, "dana")
    _all, mark = marked(dana.get("units/atlas/acts/"))
    act = fund(offering=committed.vcpu, unit=committed.units["atlas"], amount=1, actor=None,
               now=timezone.now())  # fmt: skip
    found, mark = marked(dana.get("units/atlas/acts/", updated_since=mark))
    assert len(found) == 1
    assert act.pk
    assert marked(dana.get("units/atlas/acts/", updated_since=mark))[0] == []


def test_whom_a_request_waits_for_is_told_when_it_is_routed_anew(committed: Site) -> None:
    alice, asked = caller(committed, "alice"), submit(committed)
    _all, mark = marked(alice.get("requests/"))
    revoke(
        delegation=committed.delegations["dana"], why="tests", actor=committed.erin,
        now=timezone.now(),
    )  # fmt: skip
    route_again([asked.pk], timezone.now())
    found, mark = marked(alice.get("requests/", updated_since=mark))
    assert found == [asked.pk]
    route_again([asked.pk], timezone.now())
    assert marked(alice.get("requests/", updated_since=mark))[0] == []
