"""The kinds of notices as people choose about their mail: in which words, and what is usual.

A new kind of notice has one line here, in the group where people look for it.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from projects.states import MailWay, NoticeKind


@dataclass(frozen=True)
class Kind:
    """What it tells, how it usually comes, and whether it waits for its reader.

    What waits for its reader is sent without gathering more.
    """

    words: Promise
    way: MailWay = MailWay.AT_ONCE
    is_urgent: bool = False


# As the page puts them together: (heading, its kinds).
GROUPS: tuple[tuple[Promise, dict[NoticeKind, Kind]], ...] = (
    (
        _("It waits for you"),
        {
            NoticeKind.REMINDED: Kind(_("A request still waits for you"), is_urgent=True),
            NoticeKind.NUDGED: Kind(_("Somebody asks you to look at a request"), is_urgent=True),
            NoticeKind.ESCALATED: Kind(_("A request is handed up to you"), is_urgent=True),
            NoticeKind.RETURNED: Kind(_("A request comes back with a question"), is_urgent=True),
            NoticeKind.CHANGE_ASKED: Kind(
                _("A change of a project needs your answer"), is_urgent=True
            ),
            NoticeKind.NAME_TAKEN: Kind(
                _("The name of your new project is taken"), is_urgent=True
            ),
        },
    ),
    (
        _("What you asked for, wrote on or follow"),
        {
            NoticeKind.DECIDED: Kind(_("A request is decided")),
            NoticeKind.ANSWERED: Kind(_("A question on a request is answered")),
            NoticeKind.COMMENTED: Kind(_("Somebody writes on a request")),
            NoticeKind.ASKED: Kind(_("Somebody asks in your name")),
            NoticeKind.ENDORSED: Kind(_("A request is endorsed"), MailWay.DIGEST),
            NoticeKind.WITHDRAWN: Kind(_("A request is withdrawn"), MailWay.DIGEST),
        },
    ),
    (
        _("Projects and announcements"),
        {
            NoticeKind.PROJECT: Kind(_("Something happens to a project of yours")),
            NoticeKind.ROLE: Kind(_("Your role in a project changes")),
            NoticeKind.USAGE: Kind(_("A project comes close to one of its limits")),
            NoticeKind.CHANGE_ANSWERED: Kind(_("A change of a project is answered")),
            NoticeKind.UNUSED: Kind(_("Somebody asks you to return unused quota")),
            NoticeKind.ANNOUNCED: Kind(_("The operators announce something")),
        },
    ),
    (
        _("Authority"),
        {
            NoticeKind.DELEGATED: Kind(_("Authority is handed on to you")),
            NoticeKind.DEPUTY: Kind(_("Somebody names you their deputy")),
            NoticeKind.REVOKED: Kind(_("Authority is revoked")),
            NoticeKind.ENDS_SOON: Kind(_("Something ends soon: authority, a project, a loan")),
            NoticeKind.LEFT: Kind(_("Somebody left whose projects or authority concern you")),
            NoticeKind.JOINED: Kind(
                _("Somebody joins a group that you delegated to"), MailWay.DIGEST
            ),
            NoticeKind.COVERAGE: Kind(_("Too few people decide somewhere"), MailWay.DIGEST),
            NoticeKind.DIRECTORY: Kind(
                _("For operators: the directory is not believed in all that it says")
            ),
        },
    ),
    (
        _("Your programs"),
        {
            NoticeKind.TOKEN_ENDS: Kind(_("A token ends soon")),
            NoticeKind.WEBHOOK_DISABLED: Kind(_("A webhook is disabled")),
            NoticeKind.WEBHOOK_TAKEN: Kind(_("Somebody takes over a webhook of yours")),
        },
    ),
)  # fmt: skip
KINDS: dict[str, Kind] = {
    str(kind): each for _words, kinds in GROUPS for kind, each in kinds.items()
}


def usual(kind: str) -> Kind:
    """The kind's line; one that nobody listed yet is told at once, by its label."""
    found = KINDS.get(kind)
    return found if found is not None else Kind(NoticeKind(kind).label)
