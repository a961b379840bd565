"""A project of the site in Keystone: made true, and what is there then."""

from contrib.testing.plain import PlainClient
from quotas.actions.targets import wake_targets
from quotas.delivery.converge import converge
from quotas.models import Endpoint, HolderHandle, ProjectHandle, Target
from quotas.tests.site import Site


def at(endpoint: str, site: Site) -> Target:
    return Target.objects.select_related("endpoint__identity", "project").get(
        project=site.project, endpoint__slug=endpoint
    )


def run(site: Site, endpoint: str = "keystone") -> Target:
    """Have the target worked on now; how it ends."""
    target = at(endpoint, site)
    wake_targets([target])
    converge(target.pk)
    return at(endpoint, site)


def handle() -> str:
    return ProjectHandle.objects.get().external_id


def set_role(site: Site, role: str = "member") -> None:
    Endpoint.objects.filter(slug="keystone").update(options={"role": role})


def known(site: Site, plain: PlainClient, *names: str) -> dict[str, str]:
    """Give these people an id in Keystone; {name: id}."""
    found = {}
    for name in names:
        found[name] = plain.new_user(f"{name}-{site.project.public_id.hex[:8]}")
        HolderHandle.objects.create(
            user=site.people[name], identity=site.endpoints["keystone"], external_id=found[name]
        )
    return found


def row(plain: PlainClient) -> dict[str, object]:
    found = plain.project(handle())
    assert found is not None
    return found
