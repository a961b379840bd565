"""Makes the sandbox cloud look as if the demo's projects had worked in it for long."""

from pathlib import Path
from urllib.parse import urlsplit

import yaml

from contrib.sandbox.control import Sandbox
from projects.models import Group, Membership, Project
from quotas.backends import BackendError, EndpointConfig
from quotas.backends.keystone import KeystoneDriver
from quotas.models import Endpoint

from .usage import Usage

CALL_SECONDS = 10.0
SERVICES = {
    "nova": "compute", "cinder": "volume", "neutron": "network", "octavia": "balancer",
    "manila": "share", "rgw": "storage",
}  # fmt: skip


def find_sandbox(clouds_file: Path, cloud: str = "sandbox") -> Sandbox | None:
    """The sandbox that a clouds.yaml leads to; None where it names none."""
    try:
        content = yaml.safe_load(clouds_file.read_text())
        address = urlsplit(content["clouds"][cloud]["auth"]["auth_url"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return None
    return Sandbox(f"{address.scheme}://{address.netloc}")


def fill(sandbox: Sandbox, clouds_file: Path, usage: Usage) -> int:
    """Make the projects, as the workers would, their people, and usage; returns how many.

    A project of the same name that an earlier demo left behind goes away first. Raises
    BackendError, OSError, ValueError where the sandbox does not answer as it should.
    """
    identity = Endpoint.objects.get(slug="keystone")
    driver = KeystoneDriver(
        EndpointConfig(
            slug=identity.slug,
            driver=identity.driver,
            cloud=identity.cloud,
            region_name=identity.region_name or None,
            options=identity.options,
            clouds_file=str(clouds_file),
        )
    )
    projects = {each.pk: each for each in Project.objects.all()}
    for project in projects.values():
        _ensure(driver, sandbox, project)
    # But the one who came last: Keystone does not know them yet.
    people = Membership.objects.filter(user__isnull=False).order_by("user").distinct("user")
    sandbox.add_people(
        list(people.values_list("user__subject", flat=True))[:-1],
        Group.objects.values_list("name", flat=True),
    )
    for project_id, endpoint, used in usage.now_by_endpoint():
        service = SERVICES.get(endpoint.driver)
        if service is not None:
            sandbox.set_usage(projects[project_id].name, endpoint.region_name, service, used)
    return len(projects)


def _ensure(driver: KeystoneDriver, sandbox: Sandbox, project: Project) -> None:
    def make() -> None:
        driver.ensure(
            name=project.name, description=project.description, tag=project.tag,
            timeout=CALL_SECONDS,
        )  # fmt: skip

    try:
        make()
    except BackendError as error:
        if error.code != "name_taken":
            raise
        sandbox.delete_project(project.name)
        make()
