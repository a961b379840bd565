"""What operators asked of an identity endpoint: to adopt a project, or to make it again.

The web stores a wish on the target; here it is carried out under the lease. A wish that got
an answer is over, whatever the answer was; one that got none is tried again.
"""

from typing import NoReturn

from django.db import transaction

from portal.lib.locks import lock
from portal.lib.plain import storable
from projects.models import TAG_PREFIX
from quotas.actions.targets import touch_targets
from quotas.backends.base import IdentityProject
from quotas.backends.errors import BackendError
from quotas.models import KeptLimit, ProjectHandle, Reading, Target
from quotas.states import TargetState

from .calling import calling
from .clashes import tell_clash
from .clouds import identity_driver
from .leases import Lease, LeaseLost, take_over
from .outcomes import Refusal


def refuse_name(lease: Lease, taken: BackendError) -> NoReturn:
    """Raise the refusal that names who has the name, kept for an operator who may adopt it.

    Raises `taken` where the service does not say.
    """
    target = lease.target
    with calling(target.endpoint):
        found = identity_driver(target.endpoint).find_by_name(
            target.project.name, timeout=lease.timeout()
        )
    if found is None:
        raise taken  # it has gone meanwhile, or is hidden from us
    Target.objects.filter(pk=target.pk).update(
        name_taken_by={
            "id": found.external_id,
            "name": storable(found.name),
            "description": storable(found.description)[:500],
            "is_enabled": found.is_enabled,
            "tags": sorted(storable(each) for each in found.tags),
        }
    )
    tell_clash(target)
    raise Refusal(
        "name_taken",
        f"Keystone has a project called {storable(found.name)} that is not ours: "
        f"{found.external_id}. Adopt it, or have it renamed there.",
    ) from taken


def adopt(lease: Lease) -> IdentityProject:
    """The project that an operator chose, with our tag on it, as read back."""
    target, tag = lease.target, lease.target.project.tag
    endpoint, external_id = target.endpoint, target.adopt_external_id
    driver = identity_driver(endpoint)
    with calling(endpoint):
        ours = driver.find(tag, timeout=lease.timeout())
    if ours is not None:
        # Put there by an attempt of before, or made by a call that came late.
        return ours
    with calling(endpoint):
        found = driver.get(external_id, timeout=lease.timeout())
    if found is None:
        raise _over(target, f"The project {external_id} has gone from Keystone; nothing to adopt.")
    others = sorted(each for each in found.tags if each.startswith(TAG_PREFIX))
    if others:
        raise _over(
            target, f"The project {external_id} carries {others[0]}: it is another's already."
        )
    with calling(endpoint, writing=True):
        driver.add_tag(external_id, tag, timeout=lease.write_timeout())
    with calling(endpoint):
        found = driver.get(external_id, timeout=lease.timeout())
    if found is None or tag not in found.tags:
        raise _over(target, f"Keystone took our tag for the project {external_id} and lost it.")
    return found


def _over(target: Target, words: str) -> Refusal:
    Target.objects.filter(pk=target.pk, adopt_external_id=target.adopt_external_id).update(
        adopt_external_id=""
    )
    return Refusal("adopt_refused", words)


def drop_handle(lease: Lease, handle: ProjectHandle) -> None:
    """Forget a project that Keystone says is gone, for a new one in its place.

    What was read of the old one goes, what an import kept of it too, and no target of it is
    true any longer. Leases are taken from those who work on the old one at this moment:
    nothing more is written there, and what they read back is not called applied for the new
    one.
    """
    target = lease.target
    services = Target.objects.filter(project=target.project, endpoint__identity=target.endpoint)
    with transaction.atomic():
        lock(services | Target.objects.filter(pk=target.pk))
        if not is_ours(lease):
            raise LeaseLost
        Reading.objects.filter(target__in=services).delete()
        # Nobody ever set anything in the new one: all of it is ours to write.
        KeptLimit.objects.filter(target__in=services).delete()
        touch_targets(services)
        take_over(services)
        handle.delete()
        Target.objects.filter(pk=target.pk).update(recreate_external_id="")


def is_ours(lease: Lease) -> bool:
    """Nobody took the target over; asked under its lock."""
    return Target.objects.filter(
        pk=lease.target.pk, lease_token=lease.token, state=TargetState.LEASED
    ).exists()
