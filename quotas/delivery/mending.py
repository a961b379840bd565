"""A project in its identity service made what it is to be: name, description, enabled.

What was changed here is written. What others changed there is put right where somebody asked for
it, or the endpoint's policy does; but one that is to be disabled is, whoever enabled it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now

from quotas.actions.targets import services_behind, wake_targets
from quotas.backends.base import IdentityProject
from quotas.backends.errors import BackendError
from quotas.models import Drift, ProjectHandle, Target
from quotas.states import DriftKind, DriftPolicy

from .calling import calling
from .clashes import tell_clash
from .clouds import identity_driver
from .leases import Lease
from .outcomes import Refusal


@dataclass(frozen=True)
class Mended:
    """The project as it is now; and what is to be refused once all else is done."""

    project: IdentityProject
    trouble: Refusal | None = None


def mend(lease: Lease, handle: ProjectHandle, found: IdentityProject) -> Mended:
    """The project as it is now: read back, where something was to be written.

    A project that others disabled stays so until somebody asks, and one that they renamed keeps
    its name: they may have meant it. Raises Refusal where the service does not take it.
    """
    trouble = None
    after = found
    wanted = _wanted(lease.target, handle, found)
    if wanted:
        # Apart: a name that is taken must not keep a project from being disabled.
        name = {"name": wanted.pop("name")} if "name" in wanted else {}
        for fields in filter(None, (wanted, name)):
            try:
                _write(lease, handle, fields)
            except BackendError as error:
                if error.code != "name_taken":
                    raise
                trouble = _name_refused(lease.target, handle, error)
        after = _read_back(lease, handle)
        untrue = _wanted(lease.target, handle, after)
        if trouble is not None:
            untrue.pop("name", None)
        if untrue:
            raise _not_taken(after)
        if after.is_enabled and not found.is_enabled:
            # Its services may have refused it; they look for themselves.
            wake_targets(list(services_behind(lease.target)))
    _note(handle, lease.target, after)
    return Mended(after, trouble)


def needs_mending(target: Target, handle: ProjectHandle, found: IdentityProject) -> bool:
    """Whether a look found what an attempt would write."""
    return bool(_wanted(target, handle, found))


def _wanted(target: Target, handle: ProjectHandle, found: IdentityProject) -> dict[str, Any]:
    """What `update` is to be told: what is not so, and was changed here or is to be put right."""
    project = target.project
    if (found.name, found.description, found.is_enabled) == (
        project.name, project.description, project.is_open,
    ):  # fmt: skip
        return {}  # by far the most often
    asked = set(
        Drift.objects.filter(
            target=target,
            ended_at__isnull=True,
            restore_asked_at__isnull=False,
            kind__in=[DriftKind.PROJECT_RENAMED, DriftKind.PROJECT_DISABLED],
        ).values_list("kind", flat=True)
    )
    is_renamed = DriftKind.PROJECT_RENAMED in asked
    wanted: dict[str, Any] = {}
    if found.name != project.name and (is_renamed or handle.told_name != project.name):
        wanted["name"] = project.name
    if found.description != project.description and (
        is_renamed
        or handle.told_description != project.description
        or target.endpoint.drift_policy == DriftPolicy.RESTORE
    ):
        wanted["description"] = project.description
    if not project.is_open and found.is_enabled:
        wanted["is_enabled"] = False
    must_enable = handle.disabled_at is not None or DriftKind.PROJECT_DISABLED in asked
    if project.is_open and not found.is_enabled and must_enable:
        wanted["is_enabled"] = True
    return wanted


def _write(lease: Lease, handle: ProjectHandle, fields: Mapping[str, Any]) -> None:
    endpoint = lease.target.endpoint
    if fields.get("is_enabled") is False:
        # Before it is so: whoever comes after a killed worker knows who did it.
        ProjectHandle.objects.filter(pk=handle.pk).update(disabled_at=Now())
        handle.refresh_from_db(fields=["disabled_at"])
    with calling(endpoint, writing=True):
        identity_driver(endpoint).update(
            handle.external_id, **fields, timeout=lease.write_timeout()
        )


def _read_back(lease: Lease, handle: ProjectHandle) -> IdentityProject:
    endpoint = lease.target.endpoint
    with calling(endpoint):
        after = identity_driver(endpoint).get(handle.external_id, timeout=lease.timeout())
    if after is None:
        raise Refusal(
            "project_gone", f"The project {handle.external_id} was deleted while it was changed."
        )
    return after


def _note(handle: ProjectHandle, target: Target, seen: IdentityProject) -> None:
    """What the service was told and has: from now on another value is others' doing."""
    project = target.project
    told: dict[str, Any] = {}
    if seen.name == project.name != handle.told_name:
        told["told_name"] = project.name
    if seen.description == project.description != handle.told_description:
        told["told_description"] = project.description
    if project.is_open and seen.is_enabled and handle.disabled_at is not None:
        told["disabled_at"] = None
    if told:
        ProjectHandle.objects.filter(pk=handle.pk).update(**told)


def _name_refused(target: Target, handle: ProjectHandle, error: BackendError) -> Refusal:
    name = target.project.name
    if handle.told_name == name:
        words = f"The project {handle.external_id} cannot be called {name} again: {error.words}"
        return Refusal("rename_refused", words)
    tell_clash(target)
    return Refusal("name_taken", f"Keystone has another project called {name}: {error.words}")


def _not_taken(after: IdentityProject) -> Refusal:
    return Refusal(
        "not_taken",
        f"Keystone accepted the change and did not make it: the project {after.external_id} is "
        f"called {after.name} and is {'enabled' if after.is_enabled else 'disabled'}.",
    )
