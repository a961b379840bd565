"""Taking one project over: project, people, handles, quota and what was read, in one transaction.

A project that has its handle is done, so whoever goes on after a kill begins with the first that
has none. Our tag follows after the commit: it is found missing, and put there, by the next run.
No service is written here. What was read as the ledger now says counts as applied at once, so
that whoever changes it from then on is drift and is not written over.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal.lib.errors import Conflict
from portal.lib.locks import lock, lock_ids
from portal.lib.plain import storable
from projects.actions.events import record
from projects.actions.project_acts import act, move_project
from projects.actions.project_names import MAX_NAME, free_slug
from projects.actions.projects import make_project, set_role
from projects.actions.units import hold_place
from projects.models import Membership, Project, ProjectAct, User
from projects.states import STANDING, ProjectActKind
from quotas.actions.keeping import hold_catalogue
from quotas.actions.ledger import open_quota
from quotas.actions.posting import Journal
from quotas.actions.targets import ensure_targets, touch_targets
from quotas.models import Account, Holder, KeptLimit, ProjectHandle, Target
from quotas.queries.accounts import nearest_sources
from quotas.states import KeptWhy, TargetState

from .explaining import Explained, Found, leave
from .noting import Seen, open_drift, store_readings
from .people import STRENGTH
from .plans import Plan
from .scanning import Read
from .shape import Shape, is_of_now


@dataclass(frozen=True)
class Import:
    """One run: who answers for it, when, and what is managed where it runs."""

    shape: Shape
    actor: User | None
    now: datetime
    slugs: Mapping[int, str]


@dataclass(frozen=True)
class Done:
    """What was done with a project. opened: how many accounts got their balance; kept: how many
    limits stay as they are."""

    project: Project
    opened: int
    kept: int


def take_over(
    run: Import, plan: Plan, read: Read, found: Mapping[int, Found], result: Explained
) -> Done:
    """Make the project ours, or more of one that is. Raises Conflict, IntegrityError.

    found: {limit id: Found}; result is brought up to date where envelopes have too little.
    """
    with transaction.atomic():
        _hold_catalogue(run)
        project = _project(run, plan)
        note = act(
            project, ProjectActKind.IMPORT, actor=run.actor, now=run.now,
            reason=_reason(run, plan),
            data={run.slugs[pk]: each.external_id for pk, each in plan.candidate.parts.items()},
        )  # fmt: skip
        _give_roles(run, plan, project)
        _keep_handles(run, plan, project)
        opened = _open(run, project, note, found, result)
        ensure_targets([project])
        if plan.candidate.project is not None:
            # What waited for the project there, or was refused as the name was taken.
            identities = list(plan.candidate.parts)
            at = Q(endpoint__in=identities) | Q(endpoint__identity__in=identities)
            touch_targets(Target.objects.filter(at, project=project))
        _store(run, project, read, result)
        record(
            "project imported", actor=run.actor, now=run.now, project=project,
            unit=project.unit, subject_kind="project", subject_id=project.pk, act=note.pk,
            opened=opened, kept=len(result.kept),
        )  # fmt: skip
    return Done(project, opened, len(result.kept))


def answer_kept(
    run: Import, plan: Plan, read: Read, found: Mapping[int, Found], result: Explained
) -> Done | None:
    """Book what answers now explain of limits that were kept; None where they explain nothing.

    result.quota: of all offerings, what the ledger has included.
    """
    project = plan.candidate.project
    _say_why(plan, result)
    over = [row for pk, row in plan.kept.items() if pk not in result.kept and pk in found]
    if project is None or not over:
        return None
    with transaction.atomic():
        _hold_catalogue(run)
        project = _held(project)
        note = act(
            project, ProjectActKind.IMPORT, actor=run.actor, now=run.now,
            reason=_reason(run, plan), data={"limits": sorted(row.limit_id for row in over)},
        )  # fmt: skip
        opened = _open(run, project, note, found, result)
        still = set(result.kept)
        over = [row for row in over if row.limit_id not in still]
        if not over:
            # There is no room yet: nothing was answered.
            transaction.set_rollback(True)
            return None
        targets = Target.objects.filter(pk__in={row.target_id for row in over})
        lock(targets)
        KeptLimit.objects.filter(pk__in=[row.pk for row in over]).delete()
        touch_targets(targets)
        record(
            "project imported", actor=run.actor, now=run.now, project=project,
            unit=project.unit, subject_kind="project", subject_id=project.pk, act=note.pk,
            opened=opened, kept=len(plan.kept) - len(over),
        )  # fmt: skip
    return Done(project, opened, len(plan.kept) - len(over))


def _say_why(plan: Plan, result: Explained) -> None:
    """Of limits that stay since the catalogue grew: what was read, and what is in doubt."""
    for pk, row in plan.kept.items():
        if row.why == KeptWhy.NEW and (doubt := result.kept.get(pk)) is not None:
            own = KeptLimit.objects.filter(pk=row.pk, why=KeptWhy.NEW)
            own.update(why=doubt.why, seen=doubt.seen)


def _hold_catalogue(run: Import) -> None:
    """See to it that what is managed is what the run looked at. Raises Conflict."""
    hold_catalogue()
    if not is_of_now(run.shape):
        raise Conflict("The catalogue was changed meanwhile; run it again.")


def _reason(run: Import, plan: Plan) -> str:
    clouds = ", ".join(run.slugs[pk] for pk in plan.candidate.everywhere)
    return f"Taken over from {clouds} as it was there."


def _project(run: Import, plan: Plan) -> Project:
    """The project, locked: made now, or ours since another of its parts was taken over."""
    ours = plan.candidate.project
    if ours is not None:
        return _held(ours)
    if plan.unit is None:  # pragma: no cover - such a plan waits for an answer
        raise AssertionError("no unit")
    project = make_project(
        slug=free_slug(plan.name), name=plan.name, unit=plan.unit, description=plan.description,
        actor=run.actor, now=run.now,
    )  # fmt: skip
    if plan.is_suspended:
        move_project(project, "suspend", suspended_at=run.now)
    return project


def _held(project: Project) -> Project:
    """Ours, locked with its place. Raises Conflict where it was closed since it was looked at."""
    project = lock(Project.objects.filter(pk=project.pk).select_related("unit"))[0]
    if project.state not in STANDING:
        raise Conflict(f"{project.name} was closed meanwhile; run it again.")
    hold_place(project)
    return project


def _give_roles(run: Import, plan: Plan, project: Project) -> None:
    """What they have in the cloud; who has as much here, or more, from elsewhere keeps it."""
    members = Membership.objects.filter(project=project, ends_at=None)
    held = {(row.user_id, row.group_id): STRENGTH[row.role] for row in members.order_by("pk")}
    for holder, role in sorted(
        plan.roles.items(), key=lambda pair: (str(type(pair[0])), pair[0].pk)
    ):
        who = (holder.pk, None) if isinstance(holder, User) else (None, holder.pk)
        if who in held and held[who] <= STRENGTH[role]:
            continue
        kind = {"user": holder} if isinstance(holder, User) else {"group": holder}
        set_role(project=project, role=role, actor=run.actor, now=run.now, **kind)


def _keep_handles(run: Import, plan: Plan, project: Project) -> None:
    ProjectHandle.objects.bulk_create(
        ProjectHandle(
            project=project,
            identity_id=pk,
            external_id=part.external_id,
            # As if it had been told: nothing is written there but a name that answers give it.
            told_name=_told(part.name) if plan.answer.name else project.name,
            told_description=project.description,
            disabled_at=None if part.is_enabled else run.now,
            created_at=run.now,
        )
        for pk, part in plan.candidate.parts.items()
    )


def _told(name: str) -> str:
    """A name as it was there, for what no column holds."""
    return storable(name)[:MAX_NAME]


# --- Quota --------------------------------------------------------------------------------


def _open(
    run: Import, project: Project, note: ProjectAct, found: Mapping[int, Found], result: Explained
) -> int:
    """Book opening balances from the nearest envelopes; how many. The project's unit is held.

    Of what an envelope lacks nothing is booked, and the limits that it feeds are kept.
    """
    held = dict(Account.objects.filter(project=project).values_list("offering", "balance"))
    # What was settled before may have been given back since: it is not booked again.
    wanted = {
        pk: amount - held.get(pk, 0)
        for pk, amount in result.quota.items()
        if pk not in result.settled and amount > held.get(pk, 0)
    }
    if not wanted:
        return 0
    open_quota(project, sorted(wanted))
    own = Account.objects.filter(project=project, offering__in=wanted)
    sources = nearest_sources(list(wanted), project.unit.path)
    ids = [*own.values_list("pk", flat=True), *(each.pk for each in sources)]
    rows = lock(
        Account.objects.filter(pk__in=ids).select_related(
            "unit", "offering__resource", "offering__zone"
        )
    )
    mine = {each.offering_id: each for each in rows if each.holder == Holder.PROJECT}
    payers = {each.offering_id: each for each in rows if each.holder != Holder.PROJECT}
    lacking = {
        pk for pk, amount in wanted.items() if pk not in payers or payers[pk].balance < amount
    }
    leave(result, lacking, run.shape, found, KeptWhy.ROOM)
    journal = Journal(actor=run.actor, now=run.now, project_act=note, note=note.reason)
    for pk in sorted(wanted.keys() - lacking):
        journal.increase(
            line=None, account=mine[pk], source=payers[pk], amount=wanted[pk], ends_at=None
        )
    journal.write()
    return len(journal.transfers)


# --- Targets ------------------------------------------------------------------------------


def _store(run: Import, project: Project, read: Read, result: Explained) -> None:
    """Keep what was read, and which limits stay; a target that is as it should be is applied."""
    rows = {
        each.endpoint_id: each
        for each in lock(Target.objects.filter(project=project).select_related("endpoint"))
    }
    seen = [
        Seen(rows[pk], run.shape.by_endpoint.get(pk, ()), figures)
        for pk, figures in read.figures.items()
    ]
    KeptLimit.objects.bulk_create(
        KeptLimit(
            target=rows[doubt.managed.limit.endpoint_id], limit=doubt.managed.limit,
            why=doubt.why, seen=doubt.seen, kept_at=run.now,
        )
        for doubt in result.kept.values()
        if doubt.managed.limit.endpoint_id in read.figures
    )  # fmt: skip
    store_readings(seen, read)
    changed = {each.managed.limit.endpoint_id for each in result.changes.values()}
    as_wanted = [
        each for each in seen if each.target.endpoint_id not in changed and not _lacks(each, result)
    ]
    wanted = {pk: result.wanted(each) for pk, each in run.shape.managed.items()}
    open_drift(project, as_wanted, wanted, result.kept.keys(), run.now)
    _apply([each.target.pk for each in as_wanted])


def _lacks(seen: Seen, result: Explained) -> bool:
    """Whether the service does not know a limit of which there is quota."""
    return any(each.limit.key not in seen.figures and result.wanted(each) for each in seen.managed)


def _apply(target_ids: Collection[int]) -> None:
    """These were read as the ledger says: true in their first generation."""
    rows = Target.objects.filter(pk__in=target_ids, generation=1, state=TargetState.DUE)
    ids = lock_ids(rows)
    Target.objects.filter(pk__in=ids).update(
        state=TargetState.APPLIED, applied_generation=1, applied_at=Now(), next_try_at=None,
        looked_at=Now(), failure_count=0,
    )  # fmt: skip
