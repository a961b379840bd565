"""What others do between the look of an import and its booking counts."""

from pathlib import Path

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict
from projects.actions.people import make_user
from projects.actions.projects import set_role
from projects.models import Membership, Project, User
from projects.states import ProjectState, Role
from quotas.actions.returns import return_quota
from quotas.backends.base import Figure
from quotas.importing.applying import Import, answer_kept
from quotas.importing.comparing import compare_plan, found_of
from quotas.importing.reading import read_answers
from quotas.importing.running import Importer
from quotas.importing.scanning import Read
from quotas.importing.shape import load_shape
from quotas.models import Endpoint, Offering
from quotas.tests.importing.test_growing import COMPUTE, fund, load
from quotas.tests.importing.test_import import run
from quotas.tests.importing.town import GIB, RULES, SITE, Town, load_site, plain_quota, quotas_of

pytestmark = pytest.mark.django_db

ANSWERED = f"{RULES}\nunlimited: {{nova-geneva.cores: 40}}\n"
CLOSED, GIVING = "atlas-00", "atlas-endless"


def begin(text: str) -> Importer:
    services = Endpoint.objects.exclude(identity=None).order_by("pk")
    shape = load_shape(services)
    return Importer(
        Endpoint.objects.filter(identity=None), services, shape, read_answers(text, shape),
        actor=None, tell=lambda *_said: None,
    )  # fmt: skip


def test_what_was_given_back_or_closed_meanwhile_gets_nothing(town: Town, tmp_path: Path) -> None:
    load_site(tmp_path)
    town.limit_cores(CLOSED, "geneva", cores=-1)
    run(answers=RULES, folder=tmp_path)
    now = timezone.now()
    importer = begin(ANSWERED)
    shape, answers = importer.shape, importer.answers
    plans = {each.candidate.name: each for each in importer.look().plans}
    importer.close()
    nova = Endpoint.objects.get(slug="nova-geneva")
    read = Read({nova.pk: {"cores": Figure(-1, 0, 0)}}, {}, {})
    begun = Import(shape, None, now, importer.planner.slugs)
    found = found_of(shape, read)
    looked = {
        name: compare_plan(shape, answers, plans[name], read).result for name in (GIVING, CLOSED)
    }
    giving, alice = Project.objects.get(name=GIVING), User.objects.get(subject="alice")
    set_role(project=giving, role=Role.OWNER, user=alice, actor=None, now=now)
    return_quota(
        project=giving, offering=Offering.objects.get(slug="geneva.compute-a.ram"),
        amount=20 * GIB, seen=50 * GIB, actor=alice, now=timezone.now(),
    )  # fmt: skip
    Project.objects.filter(name=CLOSED).update(state=ProjectState.CLOSED)
    assert answer_kept(begun, plans[GIVING], read, found, looked[GIVING]) is not None
    assert quotas_of(GIVING) == plain_quota(
        geneva_a_vcpu=30, geneva_b_vcpu=10, geneva_a_ram=30 * GIB
    )
    with pytest.raises(Conflict, match="closed meanwhile"):
        answer_kept(begun, plans[CLOSED], read, found, looked[CLOSED])


def test_who_came_meanwhile_is_found_by_another_run(town: Town, tmp_path: Path) -> None:
    load_site(tmp_path)
    answers = f"{RULES}\npeople: {{unknown: make}}\n"
    importer = begin(answers)
    town.sandbox.forget_calls()
    importer.look()
    # Each call is counted, also those that one list of everything takes.
    for slug, service in (("nova-geneva", "compute"), ("cinder-geneva", "volume")):
        sent = [
            call
            for call in town.sandbox.calls(service=service)
            if call["region"] == "geneva" and call["path"].count("/") > 1
        ]
        assert importer.asking.calls[slug] == len(sent)
    zoe = make_user(subject="zoe")
    done = importer.apply()
    importer.close()
    assert [label.partition(" (")[0] for label in done.failed] == ["Tagged one"]
    assert (done.people, done.imported > 0) == (0, True)
    run(answers=answers, folder=tmp_path)
    held = Membership.objects.get(project__name="Tagged one", user=zoe)
    assert (held.role, User.objects.filter(subject="zoe").count()) == (Role.MEMBER, 1)


def test_a_catalogue_that_grows_meanwhile_is_looked_at_by_another_run(
    town: Town, tmp_path: Path
) -> None:
    load(COMPUTE, tmp_path)
    fund("*.*.vcpu=100000", "*.*.ram=100TiB")
    importer = begin(RULES)
    importer.look()
    load(SITE, tmp_path)
    done = importer.apply()
    importer.close()
    assert done.imported == 0
    assert set(done.failed.values()) == {"The catalogue was changed meanwhile; run it again."}
    fund("*.*.space=1000TiB")
    run(answers=RULES, folder=tmp_path)
    assert quotas_of("atlas-00") == plain_quota()
