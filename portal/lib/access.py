"""Who may see or do what: the table that every URL names its row of.

`shows("project")` marks a view; a test walks all URLs, fails for one without a row, and
derives from this table who gets 200, 403 or 404. It documents and checks; the querysets
and the actions are what refuses.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar
from urllib.parse import urlencode

View = TypeVar("View", bound=Callable[..., object])

# Who asks, as the tests cast them. A decider, a repairer (who holds `pause endpoint` and
# `retry deliveries` for all zones of the project's unit), an operator and an auditor hold
# nothing else.
ROLES = (
    "anonymous", "stranger", "reader", "member", "manager", "owner", "decider", "repairer",
    "operator", "auditor",
)  # fmt: skip

OK, NO, HIDDEN, SIGN_IN = 200, 403, 404, 401


def _row(default: int, **others: int) -> dict[str, int]:
    return {role: others.get(role, default) for role in ROLES} | {
        "anonymous": others.get("anonymous", SIGN_IN)
    }


# What each role gets from a page or an API address about somebody's thing.
ROWS: dict[str, dict[str, int]] = {
    # Needs no sign-in: the sign-in page, health, the API's document.
    "public": _row(OK, anonymous=OK),
    # About oneself: home, own lists (which start from what one may see), search.
    "own": _row(OK),
    # The catalogue, units' names, announcements.
    "catalogue": _row(OK),
    # A project's quota, usage, requests and timeline.
    "project": _row(OK, stranger=HIDDEN),
    # A draft: its writer's alone (the owner in the tests).
    "draft": _row(HIDDEN, owner=OK),
    # A webhook: its owner's alone (in the tests the project's).
    "webhook": _row(HIDDEN, owner=OK),
    # ... Who takes it over: whoever could have made it (in the tests the one of somebody else).
    "take over webhook": _row(HIDDEN, manager=OK, owner=OK),
    # A token: who holds it, or keeps its service account (in the tests the owner holds it). ...
    "token": _row(HIDDEN, owner=OK, operator=OK, auditor=OK),
    # ... Who ends it, ...
    "end token": _row(HIDDEN, owner=OK, operator=OK, auditor=NO),
    # ... and who makes a new secret for it: whoever it acts for, and nobody else.
    "rotate token": _row(HIDDEN, owner=OK, operator=NO, auditor=NO),
    # About the token that one calls with: for nobody who signed in.
    "no token": _row(HIDDEN),
    # A service account of a project: its owner (in the tests the project's) makes it tokens, ...
    "its token": _row(NO, stranger=HIDDEN, owner=OK),
    # ... and who closes it.
    "close service account": _row(NO, stranger=HIDDEN, manager=OK, owner=OK, operator=OK),
    # Delegations: one's own, those in the subtree one decides for.
    "delegation": _row(HIDDEN, decider=OK, operator=OK, auditor=OK),
    # Handing on a part of one's own authority, and naming deputies.
    "hand on": _row(NO, decider=OK),
    # Taking back what was handed on: who did so, and whoever is above (in the tests the decider).
    "take back": _row(HIDDEN, decider=OK, operator=NO, auditor=NO),
    # Endpoints and deliveries, in the services' own words.
    "operations": _row(NO, repairer=OK, operator=OK, auditor=OK),
    # An announcement that nobody is told of yet, or any more.
    "unsent announcement": _row(HIDDEN, operator=OK, auditor=OK),
    # Long work: of whoever started it (in the tests an operator).
    "job": _row(HIDDEN, operator=OK, auditor=OK),
    # Where deciders are missing: who audits, or decides and can hand that on.
    "coverage": _row(NO, decider=OK, operator=OK, auditor=OK),
    # Acts: asking for a project, ...
    "ask": _row(NO, stranger=HIDDEN, manager=OK, owner=OK),
    # ... letting it last longer or be in another unit, which who decides projects may too, ...
    "change project": _row(NO, stranger=HIDDEN, manager=OK, owner=OK, decider=OK),
    # ... offering it to another owner, ...
    "offer": _row(NO, stranger=HIDDEN, owner=OK),
    # ... giving up one's own role in it, ...
    "leave": _row(NO, stranger=HIDDEN, reader=OK, member=OK, manager=OK, owner=OK),
    # ... closing it, or keeping it after all, ...
    "end project": _row(NO, stranger=HIDDEN, owner=OK, decider=OK, operator=OK),
    # ... suspending and resuming it, ...
    "halt project": _row(NO, stranger=HIDDEN, decider=OK, operator=OK),
    # ... keeping it from ending, ...
    "hold project": _row(NO, stranger=HIDDEN, operator=OK),
    # ... offering one that nobody owns any more to somebody, ...
    "offer orphan": _row(NO, stranger=HIDDEN, decider=OK, operator=OK),
    # ... asking its owners to return what it does not use, ...
    "ask back": _row(NO, stranger=HIDDEN, decider=OK, operator=OK),
    # ... writing a remark, ...
    "comment": _row(OK, stranger=HIDDEN, reader=NO, repairer=NO, operator=NO, auditor=NO),
    # Envelopes in figures, where their rest is, and who funded them.
    "figures": _row(NO, decider=OK, operator=OK, auditor=OK),
    # Funding, moving and retiring a unit: who holds `manage envelopes` there. An operator
    # without a delegation does it by command.
    "fund": _row(NO, decider=OK),
    # How long requests wait in a unit: who decides there.
    "unit settings": _row(NO, decider=OK),
    # ... deciding, ...
    "decide": _row(NO, stranger=HIDDEN, decider=OK),
    # ... deciding many things of one's queue at once, ...
    "decides": _row(NO, decider=OK),
    # ... and repairing.
    "operate": _row(NO, repairer=OK, operator=OK),
    # How mail is sent, to whom, and what mail servers say of it.
    "mail": _row(NO, operator=OK, auditor=OK),
    # Who is at the site, what each holds, and what the directory says of that.
    "people": _row(NO, operator=OK, auditor=OK),
    # Projects that nobody owns any more: where one decides projects.
    "orphans": _row(NO, decider=OK, operator=OK, auditor=OK),
    # What concerns the whole site: a limit that is left out at an endpoint, who has left.
    "operators": _row(NO, operator=OK),
}


def shows(row: str) -> Callable[[View], View]:
    """Name the row of `ROWS` that a view belongs to."""
    if row not in ROWS:
        raise LookupError(f"no row {row!r}; there are {', '.join(ROWS)}")

    def mark(view: View) -> View:
        view.access_row = row  # type: ignore[attr-defined]  # read by the test of all URLs
        # A view of the API asks its class: what a token may be used for hangs on the row.
        if hasattr(kind := getattr(view, "cls", None), "access_row"):
            kind.access_row = row  # type: ignore[union-attr]  # it has the name
        return view

    return mark


MAX_KEPT = 1500  # characters of a query that every server and browser takes


def keeps(*patterns: str) -> Callable[[View], View]:
    """Name the posted fields that the same address takes in its query: `keeps("project")`.

    Who was signed out comes back to the form with them after signing in.
    """

    def mark(view: View) -> View:
        view.kept_fields = patterns  # type: ignore[attr-defined]  # read by kept_query
        return view

    return mark


def kept_query(view: Callable[..., object], posted: Mapping[str, str]) -> str:
    """The query with what a view keeps of a post; as much, in that order, as an address takes."""
    kept: dict[str, str] = {}
    for pattern in getattr(view, "kept_fields", ()):
        for name, value in posted.items():
            if value and fnmatchcase(name, pattern):
                more = kept | {name: value}
                if len(urlencode(more)) <= MAX_KEPT:
                    kept = more
    return urlencode(kept)
