"""The calls of which a change consists, in their order: the points at which workers are killed.

`test_steps.py` proves that there are no others.
"""

from dataclasses import dataclass

from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA


@dataclass(frozen=True)
class Step:
    """The `nth` call of an attempt (from 0) whose path matches; {id} is the project's."""

    name: str
    service: str
    method: str
    path: str
    nth: int = 0

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


_ASK = "/projects/{id}$"
_ROLES = r"/role_assignments\?.*{id}"
_NOVA = "/os-quota-sets/{id}/detail"
_CINDER = r"/os-quota-sets/{id}\?"

STEPS = {
    KEYSTONE: [
        Step("find by tag", "identity", "GET", r"/projects\?tags="),
        Step("make", "identity", "POST", "/projects$"),
        Step("read roles", "identity", "GET", _ROLES),
        Step("look up the role", "identity", "GET", r"/roles\?name="),
        Step("grant", "identity", "PUT", "/projects/{id}/users/.*/roles/"),
        Step("read roles back", "identity", "GET", _ROLES, nth=1),
        Step("name the roles", "identity", "GET", "/roles$"),
    ],
    NOVA: [
        Step("ask for the project", "identity", "GET", _ASK),
        Step("read", "compute", "GET", _NOVA),
        Step("write", "compute", "PUT", "/os-quota-sets/{id}$"),
        Step("ask again", "identity", "GET", _ASK, nth=1),
        Step("read back", "compute", "GET", _NOVA, nth=1),
    ],
    CINDER: [
        Step("ask for the project", "identity", "GET", _ASK),
        Step("read", "volume", "GET", _CINDER),
        Step("write", "volume", "PUT", "/os-quota-sets/{id}$"),
        Step("ask again", "identity", "GET", _ASK, nth=1),
        Step("read back", "volume", "GET", _CINDER, nth=1),
    ],
}
# These two do not say for whom they are.
ANONYMOUS = ("look up the role", "name the roles")
