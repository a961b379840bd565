"""The code of every refusal: what it means, and what whoever meets it does next.

Programs hang on these: a code never changes its meaning. Each has a page of its own, to which
the `type` of a problem leads, and a row in docs/api.md.
"""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Code:
    """status: what it is answered with; 0 is as told. facts: those that it may have."""

    status: int
    title: str
    when: Promise
    then: Promise
    facts: tuple[str, ...] = ()


CODES: dict[str, Code] = {
    "malformed": Code(
        400, "The body cannot be read",
        _("The body is no JSON in UTF-8, or has a key twice."),
        _("Send it as a program writes it, with every key once."),
    ),
    "not_signed_in": Code(
        401, "Sign in first",
        _("There is neither a token in force nor a session."),
        _("Send a token as “Authorization: Bearer remit_…”. One that ended or was revoked is not "
          "in force: make another one in the pages."),
    ),
    "forbidden": Code(
        403, "Not allowed",
        _("You may see it, but not do this: your remit, your role or the scope of your token does "
          "not reach that far."),
        _("Where a bound stands in the way, “facts” has it and “able” names those who may; "
          "“links” lead to why. Trying again changes nothing."),
        ("bound", "most", "asked", "able", "offering", "project", "unit", "scope", "scopes"),
    ),
    "not_found": Code(
        404, "Not found",
        _("It does not exist, or not for you: the answer never tells which."),
        _("Look at the address, and whether whoever calls is a member or decides there."),
    ),
    "method_not_allowed": Code(
        405, "No such method here",
        _("The address is there, but does not take this method."),
        _("“Allow” names the methods that it takes."),
    ),
    "not_acceptable": Code(
        406, "No such representation",
        _("None of the kinds that “Accept” names is to be had here."),
        _("Ask for application/json; problems come as application/problem+json."),
    ),
    "conflict": Code(
        409, "Not possible in this state",
        _("The move is not legal from the state that it is in now."),
        _("Read it again: somebody else may have been first. “facts” has the state of now."),
        ("state", "line", "request", "version"),
    ),
    "no_room": Code(
        409, "The source has too little",
        _("The envelope that pays has less than is needed. Nothing was booked."),
        _("Grant or ask for at most “free”, or ask “next_holder” to fund the envelope."),
        ("short", "free", "holder", "next_holder", "offering", "held", "held_by_others"),
    ),
    "used_up": Code(
        409, "Too little is left of the bound",
        _("The remit allows as much as written, but of that too little is left in this window or "
          "period. Nothing was booked, and the request went up to those who can still grant it."),
        _("Grant at most “left”, or leave it to those in “waits_for”."),
        ("bound", "written", "used", "left", "asked", "holder", "delegation", "offering", "line",
         "request", "waits_for"),
    ),
    "too_soon": Code(
        409, "Not yet",
        _("Those who decide were reminded, or asked, too short a while ago."),
        _("Try again at “at”."),
        ("at",),
    ),
    "busy": Code(
        409, "Somebody else is at it",
        _("Somebody else is changing it at this moment. Nothing was done."),
        _("Send the same again after “Retry-After” seconds."),
    ),
    "in_flight": Code(
        409, "The first call with this key is not over",
        _("A call with this Idempotency-Key is still being worked on."),
        _("Send the same again in a moment: you get the answer of the first."),
    ),
    "marker_gone": Code(
        410, "The record has no such place any more",
        _("The database was restored, and what was recorded near the place that you sent is gone, "
          "or the place is none of this site."),
        _("Read all of it anew, without “after” or “updated_since”, and go on from there."),
    ),
    "stale": Code(
        412, "It has changed",
        _("It is not what you saw any more: somebody else changed it, or the figures moved."),
        _("“facts” has the version and the figures of now. Look at them, and decide again."),
        ("version", "seen", "now"),
    ),
    "precondition_required": Code(
        428, "Say which version you saw",
        _("Who decides or edits says which version they saw."),
        _("Send “If-Match” with the ETag that you read, or “version” in the body."),
    ),
    "too_large": Code(
        413, "Too large",
        _("The body is larger than any that is of use here."),
        _("Split it into several calls."),
    ),
    "unsupported_media_type": Code(
        415, "Not this kind of body",
        _("The body is not application/json."),
        _("Send JSON, and say so in “Content-Type”."),
    ),
    "invalid": Code(
        422, "The input is wrong",
        _("Something in the body or the query is wrong; everything wrong is told at once."),
        _("“errors” has a sentence for each place, and points at it in the body."),
    ),
    "key_reused": Code(
        422, "The key came with another call",
        _("This Idempotency-Key came before with another call, which is what it belongs to."),
        _("Make a new key for each act, and keep it for every attempt at that act alone."),
    ),
    "throttled": Code(
        429, "Too many requests",
        _("This token, or person, called too often."),
        _("Wait for “Retry-After” seconds. Every answer says how much is left."),
    ),
    "unavailable": Code(
        503, "The database does not answer",
        _("The database went away, before or after what you asked for was done."),
        _("Wait for “Retry-After” seconds, and look whether it is there before you repeat it; "
          "with an Idempotency-Key you may simply send it again."),
    ),
    "refused": Code(
        0, "Refused",
        _("Any other refusal."),
        _("“detail” says what it is about."),
    ),
}  # fmt: skip

TITLES = {code: each.title for code, each in CODES.items()}


def type_of(code: str) -> str:
    """The `type` of a problem: the address of the page about its code, relative to the site."""
    return reverse("refusal_detail", kwargs={"code": code})
