"""The place of a decision: everything that it looks at, locked, and who decides."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid, Stale
from portal.lib.locks import lock, share
from projects.actions.units import hold_place
from projects.models import Delegation, Project, User
from projects.queries.viewers import Viewer
from projects.states import Power, ProjectState
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.authority import Mandate, mandates_of
from quotas.states import LINE_MOVES, LineState

from .authority import barred
from .wishes import check_known


@dataclass
class Bench:
    """Everything that a decision looks at, locked: nothing here changes under it."""

    request: QuotaRequest
    project: Project
    viewer: Viewer
    lines: dict[int, RequestLine]
    mandates: list[Mandate]

    def chosen(self, line_ids: list[int], verb: str) -> list[RequestLine]:
        """The lines, or Conflict where one of them is not where the verb is legal."""
        check_known(line_ids, self.lines)
        if not line_ids:
            raise Conflict(_("No line of this request waits for a decision."))
        for line_id in line_ids:
            state = self.lines[line_id].state
            if (state, verb) not in LINE_MOVES:
                raise Conflict(
                    _("This line is %(state)s already; only an open line can be decided.")
                    % {"state": LineState(state).label},
                    line=line_id,
                    state=state,
                )
        return [self.lines[line_id] for line_id in sorted(line_ids)]

    def check_version(self, version: int) -> None:
        """Raise Stale where the decider saw another version of the request."""
        if self.request.version != version:
            raise Stale(
                _("The request has changed since you opened it. Look again, then decide."),
                version=self.request.version,
            )

    def check_all_or_nothing(self, lines: list[RequestLine]) -> None:
        """Raise Invalid where only some lines of an all-or-nothing request are decided."""
        if not self.request.all_or_nothing:
            return
        waiting = {each.pk for each in self.lines.values() if each.state == LineState.OPEN}
        if waiting != {line.pk for line in lines}:
            sentence = _("This request is all or nothing: decide all of its lines together.")
            raise Invalid({"lines": [sentence]})

    def ask_authority_again(self) -> None:
        """Hold the delegations as they are, and look once more: a link may have been revoked.

        Also after `now`, which was taken before we waited for locks.
        """
        held = {link.pk for mandate in self.mandates for link in mandate.chain}
        share(Delegation, held)
        self.viewer = Viewer.of(self.viewer.user, self.viewer.now)
        self.mandates = [
            each
            for each in mandates_of(self.viewer, self.project.unit.path, Power.DECIDE_QUOTA)
            if all(link.pk in held and link.revoked_at is None for link in each.chain)
        ]
        barred(self.viewer, self.request, self.mandates)


def take(quota_request: QuotaRequest, actor: User, now: datetime) -> Bench:
    """Lock project, unit path and request, then ask who the actor is."""
    project = lock(Project.objects.filter(pk=quota_request.project_id))[0]
    hold_place(project)
    request = lock(QuotaRequest.objects.filter(pk=quota_request.pk))[0]
    request.project = project
    viewer = Viewer.of(actor, now)
    lines = {
        line.pk: line
        for line in RequestLine.objects.filter(request=request).select_related(
            "offering__resource", "offering__zone"
        )
    }
    mandates = mandates_of(viewer, project.unit.path, Power.DECIDE_QUOTA)
    barred(viewer, request, mandates)
    if project.state != ProjectState.ACTIVE:
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; nothing is granted to it.") % words)
    return Bench(request, project, viewer, lines, mandates)
