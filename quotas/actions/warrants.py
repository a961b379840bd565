"""By what authority somebody does something with a project: the chain, kept with the act as proof.

Like the snapshot of a decision, and checked the same way (`quotas/queries/proof_projects.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from projects.models import Delegation, Project, Unit
from projects.queries.viewers import Viewer
from quotas.queries.authority import Mandate

from .proof import RULE_VERSION, link_terms, memberships


@dataclass(frozen=True)
class Warrant:
    """A mandate that somebody uses about a project in a unit: where it is, or is to be.

    left: by what they let it go from where it is, where that takes a yes of its own.
    """

    viewer: Viewer
    mandate: Mandate
    project: Project
    unit: Unit
    facts: Mapping[str, Any] = field(default_factory=dict)
    left: "Warrant | None" = None

    @property
    def delegation(self) -> Delegation:
        return self.mandate.delegation

    @property
    def delegations(self) -> list[Delegation]:
        """All that it rests on."""
        return [self.delegation, *(self.left.delegations if self.left else ())]

    @property
    def snapshot(self) -> dict[str, Any]:
        """The proof as JSON values: ids, terms and figures only."""
        found = {
            "rule_version": RULE_VERSION,
            "person": self.viewer.user.pk,
            "effective_people": sorted({self.viewer.user.pk, *self.mandate.deputised}),
            "memberships": memberships(self.viewer, [self.mandate]),
            "project": self.project.pk,
            "unit": self.unit.pk,
            "unit_path": self.unit.path,
            "delegation": self.delegation.pk,
            "chain": [
                link_terms(link, self.mandate.bounds[link.pk]) for link in self.mandate.chain
            ],
            **self.facts,
        }
        return found if self.left is None else found | {"left": self.left.snapshot}


def shown(warrant: Warrant | None) -> dict[str, Any]:
    """The columns of an act that say by what authority; none where it took none."""
    if warrant is None:
        return {"delegation": None}
    return {"delegation": warrant.delegation, "snapshot": warrant.snapshot}
