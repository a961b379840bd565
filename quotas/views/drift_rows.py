"""Rows of drift as pages show them: the sentence, and what this reader can do about it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from projects.models import Project
from projects.queries.viewers import Viewer
from projects.rules import has_an_interest, may_decide_in
from quotas.models import Drift
from quotas.queries.drift_words import sentence_of, why_not_adopt, why_not_restore
from quotas.queries.repairers import Repairs


@dataclass(frozen=True)
class DriftRow:
    """A drift with its sentence; `may_repair` and `may_adopt` are about the reader."""

    drift: Drift
    may_repair: bool
    may_adopt: bool = False

    @property
    def sentence(self) -> str:
        return sentence_of(self.drift)

    @property
    def why_not_restore(self) -> str:
        return why_not_restore(self.drift)

    @property
    def why_not_adopt(self) -> str:
        return why_not_adopt(self.drift)

    @property
    def unit(self) -> str:
        """Of the figures."""
        return self.drift.limit.quota_unit if self.drift.limit else ""


def rows_of(drifts: Iterable[Drift], repairs: Repairs) -> list[DriftRow]:
    """For those who operate, repair or audit; no query a row."""
    return [DriftRow(each, repairs.may_retry(each.target)) for each in drifts]


def project_rows(
    viewer: Viewer, project: Project, drifts: Iterable[Drift], roles: Collection[str],
    repairs: Repairs,
) -> list[DriftRow]:  # fmt: skip
    """The open drift of a project, for its page; roles: the reader's in it."""
    decides = may_decide_in(viewer, project) and not has_an_interest(roles)
    return [DriftRow(each, repairs.may_retry(each.target), decides) for each in drifts]
