"""What an event of a project or a request says in a timeline: a sentence for each verb, an icon.

Of people, units and services a sentence holds the names that they have today.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from projects.models import Event
from projects.states import Role
from quotas.models import Endpoint

# {verb: words with %(who)s, %(whom)s, %(role)s, %(unit)s, %(service)s}
SENTENCES: dict[str, Promise] = {
    "submitted": gettext_lazy("%(who)s asked"),
    "amended": gettext_lazy("%(who)s changed what is asked for"),
    "answered": gettext_lazy("%(who)s answered"),
    "commented": gettext_lazy("%(who)s wrote"),
    "withdrew": gettext_lazy("%(who)s withdrew what was waiting"),
    "approved": gettext_lazy("%(who)s approved"),
    "declined": gettext_lazy("%(who)s declined"),
    "returned": gettext_lazy("%(who)s asked back"),
    "endorsed": gettext_lazy("%(who)s endorsed, for those who may decide"),
    "escalated": gettext_lazy("Handed one level up, for waiting too long"),
    "waits at the top": gettext_lazy("It has waited too long, and there is nobody further up"),
    "reminded": gettext_lazy("Those who decide were reminded"),
    "nudged": gettext_lazy("%(who)s asked the deciders to look"),
    "applied": gettext_lazy("%(service)s reads back what was granted"),
    "retrying": gettext_lazy("%(service)s has not taken the change yet"),
    "refused": gettext_lazy("%(service)s did not take the change"),
    "retried": gettext_lazy("%(who)s had %(service)s tried again"),
    "skipped": gettext_lazy("%(who)s left %(service)s out until the quota changes again"),
    "remedied": gettext_lazy("%(who)s tried what helps against a known problem at %(service)s"),
    "project_adopt": gettext_lazy("%(who)s has the project of that name in %(service)s adopted"),
    "project_recreate": gettext_lazy("%(who)s has the project made anew in %(service)s"),
    "drift_found": gettext_lazy("%(service)s says something else"),
    "drift_ended": gettext_lazy("%(service)s agrees again"),
    "drift_restore": gettext_lazy("%(who)s has it restored at %(service)s"),
    "drift_ignored": gettext_lazy("%(who)s leaves it as it is at %(service)s for now"),
    "drift_adopted": gettext_lazy("%(who)s adopted what %(service)s says"),
    "project proposed": gettext_lazy("%(who)s asked for the project"),
    "project opened": gettext_lazy("The first approval opened the project"),
    "project dropped": gettext_lazy("Nothing was approved, and the project was never opened"),
    "project renamed": gettext_lazy("%(who)s gave the project another name"),
    "project made": gettext_lazy("The operators opened the project"),
    "project imported": gettext_lazy("The project was taken over as the clouds had it"),
    "project described": gettext_lazy("%(who)s described the project anew"),
    "project suspended": gettext_lazy("%(who)s suspended the project: nobody works in it for now"),
    "project resumed": gettext_lazy("%(who)s let the project work on"),
    "project closing": gettext_lazy("%(who)s began to close the project"),
    "project kept": gettext_lazy("%(who)s keeps the project after all"),
    "project closed": gettext_lazy("All went back, and the project is closed"),
    "project gave back": gettext_lazy("The closing project gave back what is not in use"),
    "project extended": gettext_lazy("%(who)s let the project last longer"),
    "project moved": gettext_lazy("%(who)s moved the project to %(unit)s"),
    "project held": gettext_lazy("%(who)s keeps the project from ending"),
    "project released": gettext_lazy("The project ends when its day comes"),
    "project ends soon": gettext_lazy("Owners and managers were told that the project ends soon"),
    "usage crossed": gettext_lazy("What is used came close to limits at %(service)s"),
    "thresholds set": gettext_lazy("%(who)s chose at which shares of limits people are told"),
    "name taken": gettext_lazy("A cloud has another project of this name"),
    "loan ends soon": gettext_lazy("Owners and managers were told that a loan ends soon"),
    "loan returned": gettext_lazy("What was lent went back, as far as it is not in use"),
    "loan extended": gettext_lazy("%(who)s let the project have a loan for longer"),
    "loan made permanent": gettext_lazy("%(who)s let the project have a loan for good"),
    "quota returned": gettext_lazy("%(who)s returned quota that is not used"),
    "return undone": gettext_lazy("%(who)s took back what was returned"),
    "return asked": gettext_lazy("%(who)s asked the owners to return unused quota"),
    "change asked": gettext_lazy("%(who)s asked for a change of the project: %(change)s"),
    "change accepted": gettext_lazy("%(who)s agreed to a change of the project: %(change)s"),
    "change declined": gettext_lazy("%(who)s did not agree to a change of the project: %(change)s"),
    "change withdrawn": gettext_lazy("A change of the project is asked for no more: %(change)s"),
    "change lapsed": gettext_lazy("Nobody answered in time: %(change)s"),
    "role given": gettext_lazy("%(who)s gave %(whom)s the role %(role)s"),
    "role ended": gettext_lazy("%(who)s ended the role %(role)s of %(whom)s"),
    "service account made": gettext_lazy("%(who)s made a service account"),
    "service account taken over": gettext_lazy("%(who)s took a service account over"),
    "service account closed": gettext_lazy("%(who)s closed a service account"),
    "token made": gettext_lazy("%(who)s made a token"),
    "token rotated": gettext_lazy("%(who)s gave a token another secret"),
    "token ends soon": gettext_lazy("A token ends within days"),
    "token revoked": gettext_lazy("%(who)s ended a token"),
    "webhook made": gettext_lazy("%(who)s made a webhook"),
    "webhook changed": gettext_lazy("%(who)s changed a webhook"),
    "webhook taken over": gettext_lazy("%(who)s took a webhook over"),
    "webhook disabled": gettext_lazy("A webhook failed for long and is called no more"),
    "webhook deleted": gettext_lazy("%(who)s deleted a webhook"),
}
# At an identity service.
KNOWN = gettext_lazy("%(service)s knows the project")
# {verb: (icon, tone)}; a verb that is not here has the plain one.
MARKS = {
    "submitted": ("pencil", "busy"),
    "amended": ("pencil", ""),
    "answered": ("send", "busy"),
    "withdrew": ("back", ""),
    "commented": ("people", ""),
    "approved": ("stamp", "busy"),
    "declined": ("cross", "bad"),
    "endorsed": ("stamp", ""),
    "reminded": ("clock", ""),
    "nudged": ("clock", "busy"),
    "escalated": ("up", "busy"),
    "waits at the top": ("up", "warn"),
    "returned": ("back", "warn"),
    "applied": ("check", "ok"),
    "trouble": ("retry", "warn"),
    "retrying": ("retry", "warn"),
    "refused": ("stop", "bad"),
    "retried": ("retry", "busy"),
    "skipped": ("minus", "warn"),
    "remedied": ("retry", "busy"),
    "project_adopt": ("stamp", "busy"),
    "project_recreate": ("retry", "busy"),
    "drift_found": ("warn", "warn"),
    "drift_ended": ("check", ""),
    "drift_restore": ("retry", "busy"),
    "drift_ignored": ("clock", ""),
    "drift_adopted": ("stamp", "busy"),
    "project suspended": ("lock", "warn"),
    "project closing": ("clock", "warn"),
    "project closed": ("lock", ""),
    "project kept": ("back", "busy"),
    "project extended": ("calendar", "busy"),
    "project moved": ("send", ""),
    "project held": ("hand", ""),
    "project ends soon": ("calendar", "warn"),
    "usage crossed": ("warn", "warn"),
    "name taken": ("warn", "warn"),
    "loan ends soon": ("calendar", "warn"),
    "loan returned": ("back", ""),
    "loan extended": ("calendar", "busy"),
    "loan made permanent": ("stamp", "busy"),
    "quota returned": ("back", ""),
    "return undone": ("retry", "busy"),
    "return asked": ("hand", "busy"),
    "change asked": ("hand", "busy"),
    "change accepted": ("stamp", "busy"),
    "change declined": ("cross", "bad"),
    "change lapsed": ("clock", "warn"),
    "role given": ("people", ""),
    "role ended": ("people", ""),
}


def sentence_of(
    event: Event, *, who: str, whom: str = "", unit: str = "", endpoint: Endpoint | None = None,
    change: str = "",
) -> str:  # fmt: skip
    """What happened, in the reader's language; of a verb that has no words its name."""
    words = {"who": who, "whom": whom or _("somebody"), "unit": unit or _("another unit"),
             "service": endpoint.name if endpoint else _("a service"), "change": change,
             "role": _role(event)}  # fmt: skip
    is_known = event.verb == "applied" and endpoint is not None and endpoint.identity_id is None
    found = KNOWN if is_known else SENTENCES.get(event.verb)
    if found is None:
        return _("%(who)s: %(verb)s") % {"who": who, "verb": event.verb.replace("_", " ")}
    return str(found) % words


def _role(event: Event) -> str:
    said = str(event.data.get("role", ""))
    return str(Role(said).label) if said in Role.values else ""
