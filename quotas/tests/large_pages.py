"""Pages of a large site on which people look something up: who looks at which address."""

from datetime import timedelta
from urllib.parse import urlencode

from projects.models import Project, User
from quotas.tests.large import FIRST, LargeSite
from quotas.tests.large.sizes import FIRST_WITH_PROJECT


def lookups(large: LargeSite, project: Project) -> dict[str, tuple[User, str]]:
    """project: of a unit of the lowest level."""
    unit, slug, r = project.unit, project.slug, project.pk % 5 + 1
    owner, busy = large.owner_of(project.pk), large.busy
    head, middle, root = large.head_of(unit.pk), large.head_of(FIRST[2] + 1), large.head_of(1)
    vcpu = f"r{r}.z0.vcpu"
    since = urlencode({"updated_since": (large.now - timedelta(hours=2)).isoformat()})
    followed = {
        "requests": (root, "requests/"),
        "units": (root, "units/"),
        "groups": (root, "groups/"),
        "accounts": (root, "accounts/"),
        "members": (owner, f"projects/{slug}/members/"),
        "transfers": (owner, f"projects/{slug}/transfers/"),
    }
    return {
        "tree of a root": (root, "/remit/tree/"),
        "tree of a root, who": (root, "/remit/tree/?person=11"),
        "tree of a head": (middle, "/remit/tree/"),
        "delegation": (middle, f"/remit/D-{4 * (FIRST[2] + 1) - 3}/"),
        "before revoking": (root, f"/remit/D-{4 * (FIRST[2] + 1) - 3}/revoke/"),
        "hand on": (head, "/remit/hand-on/"),
        "units": (root, "/units/"),
        "unit of a root": (root, "/units/u1/"),
        "use of a root": (root, "/units/u1/usage/"),
        "use of a zone": (root, "/catalogue/r1.z0/"),
        "unused of a root": (root, "/unused/"),
        "most unused of a root": (root, "/unused/?resource=vcpu"),
        "unused of a project": (owner, f"/projects/{slug}/unused/"),
        "envelope": (root, f"/units/u{FIRST[1] + 1}/envelopes/{vcpu}/"),
        "acts": (root, f"/units/u{FIRST[1] + 1}/acts/"),
        "projects of an owner": (owner, "/projects/"),
        "projects of a root": (root, "/projects/"),
        "why so much": (owner, f"/projects/{slug}/why/{vcpu}/"),
        "how much at most": (owner, f"/projects/{slug}/most/{vcpu}/"),
        "new request": (owner, f"/requests/new/?project={slug}"),
        "proof": (head, f"/decisions/{project.pk - FIRST_WITH_PROJECT}/"),
        "notices of a decider": (busy, "/notices/"),
        "notices of an owner": (owner, "/notices/"),
        "rules of a head": (head, "/rules/"),
        "rules of a root": (root, "/rules/"),
        "rule": (head, f"/rules/R{unit.pk}/"),
        "replay of a rule": (head, f"/rules/R{unit.pk}/replay/"),
        "find by a root": (root, "/find/?q=11"),
        "find by an owner": (owner, f"/find/?q={project.name}"),
        "jobs of a head": (large.head_of(1420), "/jobs/"),
        "api units": (root, "/api/v1/units/"),
        "api projects": (root, "/api/v1/projects/"),
        "api notices": (busy, "/api/v1/notices/"),
        "api coverage": (middle, "/api/v1/coverage/"),
        "api delegations of a root": (root, "/api/v1/delegations/"),
        "api events of a root": (root, "/api/v1/events/"),
        "api events since": (root, f"/api/v1/events/?{since.replace('updated_', '')}"),
        "api transfers": (owner, f"/api/v1/projects/{slug}/transfers/"),
        "api acts": (root, f"/api/v1/units/u{FIRST[1] + 1}/acts/"),
        **{
            f"api {name} since": (person, f"/api/v1/{path}?{since}")
            for name, (person, path) in followed.items()
        },
    }
