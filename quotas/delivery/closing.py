"""A closed project in its identity service: roles of ours taken back, disabled, and forgotten.

Deleted there only where the endpoint's options say so, and never before its services hold no
limit for it any more: what still is in use keeps it.
"""

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from portal.lib.locks import lock
from projects.states import ProjectState
from quotas.actions.targets import services_behind, wake_targets
from quotas.models import ProjectHandle, Target
from quotas.queries.identity_rules import deletes_closed
from quotas.states import TargetState

from .adopting import is_ours
from .calling import calling
from .clouds import identity_driver
from .leases import Lease, LeaseLost
from .mending import mend
from .outcomes import Refusal
from .roles import keep_roles

FINISHED_AT_ONCE = 200


def finish(lease: Lease) -> bool:
    """Do what is left to do; True always, as what is left for later is found by `wake_closed`."""
    target = lease.target
    handle = ProjectHandle.objects.filter(project=target.project, identity=target.endpoint).first()
    if handle is None:
        return True  # all was done, or it was never made
    endpoint = target.endpoint
    with calling(endpoint):
        found = identity_driver(endpoint).get(handle.external_id, timeout=lease.timeout())
    if found is not None:
        mend(lease, handle, found)
        keep_roles(lease, handle)
    if _unfinished(services_behind(target)).exists():
        return True
    if found is not None and deletes_closed(endpoint):
        _delete(lease, handle)
    _forget(lease, handle)
    return True


def wake_closed() -> int:
    """Have closed projects forgotten whose services are done with them; how many."""
    handles = ProjectHandle.objects.filter(
        project=OuterRef("project"), identity=OuterRef("endpoint")
    )
    services = Target.objects.filter(
        project=OuterRef("project"), endpoint__identity=OuterRef("endpoint")
    )
    waiting = Target.objects.filter(
        Exists(handles), ~Exists(_unfinished(services)),
        state=TargetState.APPLIED, project__state=ProjectState.CLOSED,
    ).select_related("endpoint").order_by("pk")[:FINISHED_AT_ONCE]  # fmt: skip
    return wake_targets(list(waiting))


def _unfinished(services: QuerySet[Target]) -> QuerySet[Target]:
    """Those where the project's limits are not yet what they are to be in the end.

    What somebody skipped stays so: nobody waits for it.
    """
    is_true = Q(state=TargetState.APPLIED, applied_generation=F("generation"))
    return services.exclude(is_true).exclude(state=TargetState.SKIPPED)


def _delete(lease: Lease, handle: ProjectHandle) -> None:
    endpoint = lease.target.endpoint
    with calling(endpoint, writing=True):
        identity_driver(endpoint).delete(handle.external_id, timeout=lease.write_timeout())
    with calling(endpoint):
        after = identity_driver(endpoint).get(handle.external_id, timeout=lease.timeout())
    if after is not None:
        raise Refusal(
            "not_taken",
            f"Keystone said yes to deleting the project {handle.external_id} and still has it.",
        )


def _forget(lease: Lease, handle: ProjectHandle) -> None:
    """Its id there, and which roles were ours, of which none is left."""
    with transaction.atomic():
        lock(Target.objects.filter(pk=lease.target.pk))
        if not is_ours(lease):
            raise LeaseLost
        handle.delete()
