"""How notices about projects are told: a sentence by what was done, as the record names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from projects.states import NoticeKind

MOST_NAMED = 5


@dataclass(frozen=True)
class Look:
    """Words with %(who)s and %(what)s, an icon of the sprite, and a tone."""

    words: Promise
    icon: str
    tone: str = ""


# By kind, where the verb says no more.
OF_KINDS: dict[str, Look] = {
    NoticeKind.PROJECT: Look(_("%(who)s changed %(what)s"), "info"),
    NoticeKind.ROLE: Look(_("%(who)s changed your role in %(what)s"), "people", "busy"),
    NoticeKind.NAME_TAKEN: Look(
        _("Somebody else has the name of %(what)s in a cloud: choose another"), "warn", "warn"
    ),
    NoticeKind.CHANGE_ASKED: Look(_("A change of %(what)s needs your answer"), "hand", "warn"),
    NoticeKind.CHANGE_ANSWERED: Look(_("A change of %(what)s was answered"), "info"),
    NoticeKind.USAGE: Look(_("%(what)s comes close to limits of its quota"), "warn", "warn"),
    NoticeKind.UNUSED: Look(
        _("%(who)s asks whether %(what)s can return quota that it does not use"), "hand", "warn"
    ),
    NoticeKind.ANNOUNCED: Look(_("%(who)s announces something: %(what)s"), "info", "warn"),
}
# By the event's verb: one kind of notice tells of many.
OF_PROJECTS: dict[str, Look] = {
    "project opened": Look(_("%(what)s is open"), "stamp", "busy"),
    "project dropped": Look(_("%(what)s is not opened"), "cross", "warn"),
    "project suspended": Look(
        _("%(who)s suspended %(what)s: nobody works in it for now"), "lock", "warn"
    ),
    "project resumed": Look(_("%(who)s resumed %(what)s"), "retry", "busy"),
    "project closing": Look(_("%(what)s begins to close"), "clock", "warn"),
    "project kept": Look(_("%(who)s keeps %(what)s after all"), "back", "busy"),
    "project closed": Look(_("%(what)s is closed"), "lock"),
    "project extended": Look(_("%(what)s lasts longer"), "calendar", "busy"),
    "project moved": Look(_("%(who)s moved %(what)s to another unit"), "send"),
    "project renamed": Look(_("%(who)s gave %(what)s another name"), "pencil"),
    "project held": Look(_("%(who)s keeps %(what)s from ending"), "hand"),
    "project released": Look(_("%(what)s ends when its day comes"), "calendar", "warn"),
    "project ends soon": Look(_("%(what)s ends soon"), "calendar", "warn"),
    "loan ends soon": Look(_("Quota that %(what)s was lent ends soon"), "calendar", "warn"),
    "loan returned": Look(_("Quota that %(what)s was lent went back"), "back"),
    "loan extended": Look(_("%(who)s let %(what)s have a loan for longer"), "calendar", "busy"),
    "loan made permanent": Look(_("%(who)s let %(what)s have a loan for good"), "stamp", "busy"),
    "quota returned": Look(_("%(who)s returned unused quota of %(what)s"), "back"),
    "return undone": Look(_("%(who)s took back what %(what)s had returned"), "retry", "busy"),
    "role given": Look(_("%(who)s gave you a role in %(what)s"), "people", "busy"),
    "role ended": Look(_("%(who)s ended a role of yours in %(what)s"), "people", "warn"),
    "change asked": Look(_("%(who)s asks for your yes to a change of %(what)s"), "hand", "warn"),
    "change accepted": Look(_("%(who)s agreed to a change of %(what)s"), "stamp", "busy"),
    "change declined": Look(_("%(who)s did not agree to a change of %(what)s"), "cross", "bad"),
    "change withdrawn": Look(_("%(who)s asks no more for a change of %(what)s"), "back"),
    "change lapsed": Look(_("Nobody answered in time: a change of %(what)s"), "clock", "warn"),
}


def reached(data: Mapping[str, Any]) -> str:
    """Return "cores 95 %, ram 80 %": what an event of use tells, the fullest first."""
    limits: Mapping[str, Any] = data.get("limits", {})
    rows = sorted(limits.items(), key=lambda item: (-item[1]["percent"], item[0]))
    named = ", ".join(f"{key} {row['percent']} %" for key, row in rows[:MOST_NAMED])
    return named if len(rows) <= MOST_NAMED else f"{named}, …"
