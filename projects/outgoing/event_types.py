"""Which types of events a webhook can choose, under names that never change.

A type is called after what it is about and what happened. The verb in the record is told
too, as `data.verb`; a verb without a line here has a type all the same, made of its words.
"""

from collections.abc import Collection

from django.db.models import Q

from projects.models import Event

PING = "ping"

# {type: (subject_kind, verb) of the record}
TYPES: dict[str, tuple[str, str]] = {
    "request.submitted": ("request", "submitted"),
    "request.amended": ("request", "amended"),
    "request.answered": ("request", "answered"),
    "request.withdrawn": ("request", "withdrew"),
    "request.commented": ("request", "commented"),
    "request.returned": ("request", "returned"),
    "request.endorsed": ("request", "endorsed"),
    "request.approved": ("request", "approved"),
    "request.declined": ("request", "declined"),
    "request.reminded": ("request", "reminded"),
    "request.nudged": ("request", "nudged"),
    "request.escalated": ("request", "escalated"),
    "request.waits_at_the_top": ("request", "waits at the top"),
    "request.rerouted": ("request", "rerouted"),
    "target.applied": ("target", "applied"),
    "target.retrying": ("target", "retrying"),
    "target.refused": ("target", "refused"),
    "target.skipped": ("target", "skipped"),
    "target.remedied": ("target", "remedied"),
    "target.project_adopted": ("target", "project_adopt"),
    "target.project_made_anew": ("target", "project_recreate"),
    "drift.found": ("drift", "drift_found"),
    "drift.ended": ("drift", "drift_ended"),
    "drift.restore": ("drift", "drift_restore"),
    "drift.ignored": ("drift", "drift_ignored"),
    "drift.adopted": ("drift", "drift_adopted"),
    "envelope.declared": ("envelope_act", "envelope declared"),
    "envelope.funded": ("envelope_act", "funded"),
    "envelope.taken_back": ("envelope_act", "taken back"),
    "envelope.swept": ("envelope_act", "swept"),
    "delegation.root_granted": ("delegation", "root granted"),
    "delegation.delegated": ("delegation", "delegated"),
    "delegation.revoked": ("delegation", "revoked"),
    "delegation.ends_soon": ("delegation", "ends soon"),
    "delegation.holder_left": ("delegation", "holder left"),
    "delegation.delegate_joined": ("delegation", "delegate joined"),
    "policy.made": ("policy", "policy made"),
    "policy.revised": ("policy", "policy revised"),
    "policy.switched_on": ("policy", "policy switched on"),
    "policy.switched_off": ("policy", "policy switched off"),
    "project.proposed": ("project", "project proposed"),
    "project.opened": ("project", "project opened"),
    "project.dropped": ("project", "project dropped"),
    "project.renamed": ("project", "project renamed"),
    "project.name_taken": ("project", "name taken"),
    "project.made": ("project", "project made"),
    "project.imported": ("project", "project imported"),
    "project.suspended": ("project", "project suspended"),
    "project.resumed": ("project", "project resumed"),
    "project.closing": ("project", "project closing"),
    "project.kept": ("project", "project kept"),
    "project.gave_back": ("project", "project gave back"),
    "project.closed": ("project", "project closed"),
    "project.loan_returned": ("project", "loan returned"),
    "project.loan_extended": ("project", "loan extended"),
    "project.loan_made_permanent": ("project", "loan made permanent"),
    "project.extended": ("project", "project extended"),
    "project_change.asked": ("project_change", "change asked"),
    "project_change.accepted": ("project_change", "change accepted"),
    "project_change.declined": ("project_change", "change declined"),
    "project_change.withdrawn": ("project_change", "change withdrawn"),
    "project_change.lapsed": ("project_change", "change lapsed"),
    "project.ends_soon": ("project", "project ends soon"),
    "project.usage_crossed": ("project", "usage crossed"),
    "project.thresholds_set": ("project", "thresholds set"),
    "project.loan_ends_soon": ("project", "loan ends soon"),
    "project.quota_returned": ("project", "quota returned"),
    "project.return_undone": ("project", "return undone"),
    "project.return_asked": ("project", "return asked"),
    "project.held": ("project", "project held"),
    "project.released": ("project", "project released"),
    "project.moved": ("project", "project moved"),
    "project.described": ("project", "project described"),
    "user.role_given": ("user", "role given"),
    "user.role_ended": ("user", "role ended"),
    "group.role_given": ("group", "role given"),
    "group.role_ended": ("group", "role ended"),
    "directory.refused": ("directory", "directory refused"),
    "unit.made": ("unit", "unit made"),
    "unit.renamed": ("unit", "unit renamed"),
    "unit.moved": ("unit", "unit moved"),
    "unit.retired": ("unit", "unit retired"),
    "unit.steward_named": ("unit", "steward named"),
    "unit.waiting_set": ("unit", "waiting set"),
    "endpoint.retried": ("endpoint", "retried"),
    "endpoint.usage_incomplete": ("endpoint", "usage incomplete"),
    "endpoint.usage_complete": ("endpoint", "usage complete"),
    "announcement.made": ("announcement", "announcement made"),
    "announcement.changed": ("announcement", "announcement changed"),
    "announcement.scheduled": ("announcement", "announcement scheduled"),
    "announcement.put_back": ("announcement", "announcement put back"),
    "announcement.announced": ("announcement", "announced"),
    "announcement.sent": ("announcement", "announcement sent"),
    "announcement.withdrawn": ("announcement", "announcement withdrawn"),
    "service_account.made": ("service account", "service account made"),
    "service_account.taken_over": ("service account", "service account taken over"),
    "service_account.closed": ("service account", "service account closed"),
    "token.made": ("token", "token made"),
    "token.rotated": ("token", "token rotated"),
    "token.revoked": ("token", "token revoked"),
    "token.ends_soon": ("token", "token ends soon"),
    "webhook.made": ("webhook", "webhook made"),
    "webhook.changed": ("webhook", "webhook changed"),
    "webhook.taken_over": ("webhook", "webhook taken over"),
    "webhook.disabled": ("webhook", "webhook disabled"),
    "webhook.deleted": ("webhook", "webhook deleted"),
}
_NAMES = {said: name for name, said in TYPES.items()}


def type_of(event: Event) -> str:
    """The name of an event's type: "request.submitted"."""
    known = _NAMES.get((event.subject_kind, event.verb))
    if known is not None:
        return known
    words = event.verb.replace(" ", "_")
    return f"{event.subject_kind}.{words}" if event.subject_kind else words


def of_types(names: Collection[str]) -> Q:
    """The condition on an event that it is of one of these types; of none of them: of any."""
    chosen = Q()
    for name in names:
        kind, verb = TYPES[name]
        chosen |= Q(subject_kind=kind, verb=verb)
    return chosen
