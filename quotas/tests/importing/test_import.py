"""A cloud with each contradiction once: what a look says, what is taken over, what stays."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from projects.models import Event, Membership, Project, User
from quotas.actions.drift import restore, restore_many
from quotas.delivery.converge import converge
from quotas.delivery.jobs import run as run_job
from quotas.delivery.observe import observe
from quotas.models import (
    Drift,
    Endpoint,
    JobItem,
    KeptLimit,
    ProjectHandle,
    Reading,
    Target,
    Transfer,
)
from quotas.queries.accounts import audit
from quotas.queries.plan import totals
from quotas.queries.verifying import verify
from quotas.states import DriftKind, DriftPolicy, ItemState, TargetState
from quotas.tests.importing.town import (
    GIB,
    HOSTILE,
    PLAIN_COUNT,
    RULES,
    Town,
    load_site,
    plain_quota,
    quotas_of,
    taken,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(town: Town, tmp_path: Path) -> None:
    load_site(tmp_path)
    # What Remit has under a name that the cloud has, too.
    call_command("load_catalogue", str(_clash(tmp_path)), "--yes", stdout=io.StringIO())
    # It is not to be made in the cloud meanwhile.
    Target.objects.all().delete()
    town.sandbox.forget_calls()


def _clash(folder: Path) -> Path:
    file = folder / "clash.yaml"
    file.write_text("projects: {clash: {name: Atlas-Clash, unit: it}}\n")
    return file


def run(*arguments: str, answers: str = "", folder: Path | None = None) -> tuple[int, str]:
    """Exit code and what it said."""
    said = io.StringIO()
    given = list(arguments)
    if answers and folder is not None:
        file = folder / "answers.yaml"
        file.write_text(answers)
        given += ["--mapping", str(file)]
    code = 0
    with redirect_stdout(said):
        try:
            call_command(
                "import_cloud", "--workers", "1", *given, stdout=said, stderr=io.StringIO()
            )
        except SystemExit as end:
            code = int(str(end.code))
    return code, said.getvalue()


def counts() -> tuple[int, ...]:
    return tuple(
        model.objects.count()
        for model in (Project, Membership, Transfer, ProjectHandle, Target, Reading, Event)
    )


def report(town: Town, said: str) -> str:
    """The report alone, with names in the place of ids."""
    for external_id in town.ids.values():
        said = said.replace(external_id, "id")
    return said.replace(town.people["zoe"], "id").partition("Answers and open")[0]


def test_a_look_stores_nothing_and_names_every_contradiction(town: Town, tmp_path: Path) -> None:
    before = counts()
    written = tmp_path / "written.yaml"
    arguments = ("--dry-run", "--write-mapping", str(written))
    code, said = run(*arguments, answers=RULES, folder=tmp_path)
    assert (code, report(town, said)) == (1, REPORT)
    assert (counts(), town.writes()) == (before, [])
    # What was answered is still there, and what is open is answered by taking a # away.
    first = written.read_text()
    code, again = run(*arguments, answers=first, folder=tmp_path)
    assert (code, report(town, again)) == (1, REPORT)
    assert written.read_text() == first
    opened = first.replace('# "nova-geneva.cores": keep', '"nova-geneva.cores": keep')
    code, fewer = run("--dry-run", answers=opened, folder=tmp_path)
    assert "unlimited: " in said
    assert "unlimited: " not in fewer


def converge_all() -> None:
    """Work until nothing is due."""
    for _round in range(3):
        for pk in (
            Target.objects.exclude(next_try_at=None).order_by("pk").values_list("pk", flat=True)
        ):
            converge(pk)


def test_what_can_be_taken_over_is_and_the_rest_stays_as_it_is(town: Town, tmp_path: Path) -> None:
    assert run("--by", "otto", answers=RULES, folder=tmp_path)[0] == 1
    plain = {f"atlas-{number:02}": plain_quota() for number in range(PLAIN_COUNT)}
    quota = plain | {
        "atlas-endless": plain_quota(geneva_a_vcpu=0, geneva_b_vcpu=0),
        "atlas-total": plain_quota(),
        "atlas-odd": plain_quota(geneva_a_ram=0),
        "atlas-over": plain_quota(),
        "atlas-huge": plain_quota(prevessin_a_vcpu=0, prevessin_b_vcpu=1250),
        "Tagged one": plain_quota(),
    }
    found = taken(town)
    assert {name: row[2] for name, row in found.items()} == quota
    # One project of the cloud each, with one tag of ours, in its unit.
    assert {(row[3], row[4]) for row in found.values()} == {(True, 1)}
    assert found["Tagged one"][:2] == (
        "it", [("Alice", "member"), ("Bob", "reader"), ("atlas-dq", "member")],
    )  # fmt: skip
    assert all(row[:2] == ("atlas", []) for name, row in found.items() if name != "Tagged one")
    tagged = Project.objects.get(name="Tagged one")
    assert sorted(town.tags("Tagged one")) == sorted(["unit:it", "by-hand", tagged.tag])
    assert town.tags("atlas-foreign") == ["remit:another"]
    # Nothing but tags was written, by the import and by workers after it.
    assert {(method, path.split("/")[-2]) for method, path in town.writes()} == {("PUT", "tags")}
    town.sandbox.forget_calls()
    converge_all()
    assert town.writes() == []
    states = Target.objects.order_by("pk").values_list("state", flat=True)
    assert set(states) == {TargetState.APPLIED}
    # What stays is drift, and nothing else is.
    drifts = Drift.objects.filter(ended_at=None).order_by("pk")
    assert {(each.target.project.name, str(each.limit), each.kind) for each in drifts} == {
        ("atlas-endless", "nova-geneva cores", DriftKind.UNLIMITED),
        ("atlas-total", "cinder-geneva gigabytes", DriftKind.LIMIT_CHANGED),
        ("atlas-odd", "nova-geneva ram", DriftKind.LIMIT_CHANGED),
        ("atlas-over", "nova-geneva cores", DriftKind.USAGE_ABOVE),
        ("atlas-huge", "nova-prevessin cores", DriftKind.LIMIT_CHANGED),
        *(
            (name, f"nova-{region} instances", DriftKind.LIMIT_CHANGED)
            for name in quota
            for region in ("geneva", "prevessin")
        ),
    }
    assert Reading.objects.get(
        target__project__name="atlas-over", limit__key="cores", target__endpoint__slug="nova-geneva"
    ).used == 30  # fmt: skip
    # Nor does the plan say that anything will be written.
    assert totals(Target.objects.all()).change_count == 0
    assert audit() == []
    assert list(verify()) == []
    act = tagged.acts.get(kind="import")
    assert (str(act.actor), act.reason) == ("Otto", "Taken over from keystone as it was there.")
    transfers = Transfer.objects.filter(credit__project=tagged)
    assert {(each.kind, each.note, each.project_act) for each in transfers} == {
        ("grant", act.reason, act)
    }


def test_a_second_run_changes_nothing(town: Town, tmp_path: Path) -> None:
    run(answers=RULES, folder=tmp_path)
    before = counts()
    town.sandbox.forget_calls()
    code, said = run(answers=RULES, folder=tmp_path)
    assert code == 1
    assert "Nothing to do: all that can be taken over is." in said, said
    assert (counts(), town.writes()) == (before, [])
    # Of what is ours only those are read that have something open.
    read = {call["path"].split("/")[3] for call in town.sandbox.calls(service="volume")}
    assert len(read) <= 3, read


ANSWERED = (
    RULES
    + """
unlimited: {"nova-geneva.cores": 40}
totals: {"cinder-*.gigabytes": follow}
off_step: up
disabled: suspend
people: {unknown: make}
room: {atlas: issue}
projects:
"""
)


def test_answers_of_a_later_run_are_booked_and_written(town: Town, tmp_path: Path) -> None:
    run(answers=RULES, folder=tmp_path)
    # A policy that restores leaves alone what was never ours.
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy=DriftPolicy.RESTORE)
    endless = Target.objects.get(project__name="atlas-endless", endpoint__slug="nova-geneva")
    Target.objects.filter(pk=endless.pk).update(looked_at=None)
    observe(endless.pk)
    converge_all()
    assert town.plain.compute_limits("geneva", town.ids["atlas-endless"])["cores"] == -1
    Endpoint.objects.update(drift_policy=DriftPolicy.REPORT)
    town.sandbox.forget_calls()
    answers = ANSWERED + (
        f"  {town.ids['atlas-foreign']}: {{leave_out: true}}\n"
        f"  {town.ids['atlas-clash']}: {{leave_out: true}}\n"
        f"  {town.ids['nowhere']}: {{unit: it, owners: [alice]}}\n"
        f"  {town.ids[HOSTILE]}: {{name: evil-atlas}}\n"
    )
    code, said = run(answers=answers, folder=tmp_path)
    assert (code, "No contradiction waits for an answer." in said) == (0, True), said
    converge_all()
    assert quotas_of("atlas-endless") == plain_quota(geneva_a_vcpu=30, geneva_b_vcpu=10)
    assert quotas_of("atlas-odd") == plain_quota(geneva_a_ram=GIB)
    assert quotas_of("atlas-huge") == plain_quota(prevessin_a_vcpu=3750, prevessin_b_vcpu=1250)
    # Written is what the answers make another, and nothing else.
    limits = town.plain.compute_limits
    assert limits("geneva", town.ids["atlas-endless"])["cores"] == 40
    assert limits("geneva", town.ids["atlas-odd"])["ram"] == 1024
    assert town.plain.volume_limits("geneva", town.ids["atlas-total"])["gigabytes"] == 300
    written = [
        path for method, path in town.writes() if method == "PUT" and "os-quota-sets" in path
    ]
    assert len(written) == 3
    kept = KeptLimit.objects.exclude(limit__key="instances")
    assert list(kept) == []
    changed = Drift.objects.filter(ended_at=None).exclude(limit__key="instances").order_by("pk")
    assert [each.kind for each in changed] == [DriftKind.USAGE_ABOVE]
    # The disabled one is suspended and was not enabled; the hostile one has a name.
    off = Project.objects.get(name="atlas-off")
    assert (off.state, town.plain.project(town.ids["atlas-off"])["enabled"]) == (  # type: ignore[index]  # it is there
        "suspended", False,
    )  # fmt: skip
    assert town.plain.project(town.ids[HOSTILE])["name"] == "evil-atlas"  # type: ignore[index]  # it is there
    assert [str(each.user) for each in Project.objects.get(name="nowhere").memberships.all()] == [
        "Alice"
    ]
    assert not Project.objects.filter(name="atlas-foreign").exists()
    assert audit() == []
    assert list(verify()) == []
    before = counts()
    town.sandbox.forget_calls()
    run(answers=answers, folder=tmp_path)
    converge_all()
    assert (counts(), town.writes()) == (before, [])


def test_what_is_kept_is_restored_by_itself_and_not_by_the_hundred(
    town: Town, tmp_path: Path
) -> None:
    run(answers=RULES, folder=tmp_path)
    converge_all()
    otto = User.objects.get(subject="otto")
    call_command("set_operator", "otto", stdout=io.StringIO())
    otto.refresh_from_db()
    kept = Drift.objects.get(target__project__name="atlas-total", limit__key="gigabytes")
    others = Drift.objects.filter(limit__key="instances").order_by("pk")
    ids = [kept.pk, *others.values_list("pk", flat=True)[:2]]
    job = restore_many(drift_ids=ids, actor=otto, now=timezone.now())
    while run_job(job.pk):
        pass
    items = JobItem.objects.filter(job=job).order_by("pk")
    assert {(each.state, each.words[:14]) for each in items} == {
        (ItemState.REFUSED, "An import kept")
    }
    restore(drift=kept, actor=otto, now=timezone.now())
    town.sandbox.forget_calls()
    converge_all()
    assert [path.split("/")[-1] for _method, path in town.writes()] == [town.ids["atlas-total"]]
    assert town.plain.volume_limits("geneva", town.ids["atlas-total"])["gigabytes"] == 300
    assert not KeptLimit.objects.filter(limit__key="gigabytes").exists()
    kept.refresh_from_db()
    assert kept.end == "restored"


REPORT = """\
17 projects: 1 left out, 5 waiting for an answer, 11 to be taken over, 0 Remit's already
No limit will be written: what is taken over stays as it is.

unknown unit: No rule says which unit they belong to (1).
  Way out: add a rule under rules, or say unit or leave_out of it under projects.
  nowhere (id): parent default, tag unit:unknown

name: Remit cannot call them so (2).
  Way out: say name of it under projects (it is then renamed in the cloud), or leave_out.
  taken
    atlas-clash (id): Remit has a project Atlas-Clash already
  unfit
    evil[31matlas (id): 'evil\\x1b[31m\\u202eatlas'

another's tag: They carry the tag of another Remit (1).
  Way out: leave it to that Remit (leave_out), or have the tag removed in the cloud.
  keystone
    atlas-foreign (id): remit:another: not of this Remit

disabled: They are disabled (1).
  Way out: say disabled: suspend (it can be resumed in Remit) or leave_out.
  atlas-off (id)

unlimited: Unlimited is no number that could be granted (1).
  Way out: say a number, or keep, under unlimited; or split the total that it counts in.
  nova-geneva.cores
    atlas-endless (id): unlimited, 0 in use

not the sum: The total is not the sum of what counts in it (1).
  Way out: say follow (it becomes the sum) or keep under totals.
  cinder-geneva.gigabytes
    atlas-total (id): limit 1000 GiB, its parts 300 GiB, 0 in use

not in steps: The amount is not in steps of what is offered (1).
  Way out: say off_step: up, down or keep.
  nova-geneva.ram
    atlas-odd (id): limit 1000 MiB, 0 in use

above envelope: The envelope, or the pool, has less than its projects have (1).
  Way out: say issue, fund or keep under room, or fund it by `manage.py fund` before.
  atlas: prevessin.compute-a.vcpu
    atlas-huge (id): 2840 short

use above limit: More is in use than the limit allows (1).
  Way out: have something freed, or accept it.
  nova-geneva.cores
    atlas-over (id): limit 20, 30 in use

unknown person: Nobody here is known as (1).
  Way out: say their subject under people, or unknown: make or leave_out.
  keystone
    user zoe (id): projects where they hold roles: 1

Answered: 48 contradictions.
Waiting for an answer: 11 contradictions.
"""
