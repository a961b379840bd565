"""A small site whose cloud is behind the fault proxy, worked on by this process itself."""

from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now

from contrib.testing.clouds import FaultySite
from projects.models import Project
from quotas.actions.targets import wake_targets
from quotas.delivery.converge import converge
from quotas.models import Delivery, Endpoint, Limit, ProjectHandle, Target
from quotas.states import TargetState
from quotas.tests.site import Site

KEYSTONE, NOVA, CINDER = "keystone", "nova-geneva", "cinder-geneva"


@dataclass(frozen=True)
class Scene:
    """The site, its cloud, and the region of the cloud that stands for the site's one."""

    site: Site
    cloud: FaultySite
    region: str

    def target(self, endpoint: str) -> Target:
        return Target.objects.get(project=self.site.project, endpoint__slug=endpoint)

    def endpoint(self, slug: str) -> Endpoint:
        return Endpoint.objects.get(slug=slug)

    def work(self, endpoint: str) -> str:
        """Converge a target now, whatever it waited for; the state it ends in."""
        target = self.target(endpoint)
        wake_targets([target])
        converge(target.pk)
        return self.target(endpoint).state

    def give_roles(self) -> None:
        """From now on people with a handle are granted a role in Keystone."""
        Endpoint.objects.filter(slug=KEYSTONE).update(options={"role": "member"})

    def let_time_pass(self) -> None:
        """What waited for a moment need not wait any longer: the lease that left it is over."""
        Target.objects.filter(dirty_until__isnull=False).update(dirty_until=Now())
        Target.objects.exclude(state=TargetState.LEASED).filter(next_try_at__isnull=False).update(
            next_try_at=Now()
        )

    def delivery(self, endpoint: str) -> Delivery:
        """The last one at the endpoint."""
        return Delivery.objects.filter(target=self.target(endpoint)).latest("pk")

    @property
    def external_id(self) -> str:
        return ProjectHandle.objects.get(project=self.site.project).external_id

    def cores(self) -> int:
        """What Nova says, asked past the proxy."""
        return self.cloud.plain.compute_limits(self.region, self.external_id)["cores"]

    def space(self) -> int:
        """What Cinder says, in GiB."""
        return self.cloud.plain.volume_limits(self.region, self.external_id)["gigabytes"]

    def puts(self, service: str = "compute") -> list[Any]:
        """Bodies of the writes that came to a service of the region."""
        calls = self.cloud.proxy.calls(service=service, region=self.region, method="PUT")
        return [call["body"] for call in calls]


def set_scene(site: Site, cloud: FaultySite, region: str) -> Scene:
    """The site's rows name this cloud; its project has a name of its own there."""
    Endpoint.objects.update(cloud=cloud.cloud)
    Endpoint.objects.exclude(region=None).update(region_name=region)
    Limit.objects.filter(key="gigabytes_storage-a").update(key=f"gigabytes_{cloud.volume_types[0]}")
    project = site.project
    Project.objects.filter(pk=project.pk).update(name=f"atlas-{project.public_id.hex[:10]}")
    return Scene(site, cloud, region)
