"""Which service accounts and tokens may somebody see, and whose programs are theirs to keep?"""

from datetime import datetime

from django.db.models import Count, Q, QuerySet

from projects.models import ApiToken, Membership, Project, ServiceAccount, Unit, User
from projects.states import ROLES_THAT_ASK, Power

from .viewers import SEE_DELEGATIONS, Viewer, below, roles_in, visible_projects

# Who decides or funds in a unit keeps its programs.
KEEPING = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES)
_WITH = ("owner", "project__unit", "unit", "created_by", "closed_by")


def may_keep_in(viewer: Viewer, place: Project | Unit) -> bool:
    """Make, take over and close the programs of a place. One query for a project.

    Its owners and managers; in a unit whoever decides or funds there.
    """
    if isinstance(place, Project):
        return not roles_in(viewer, place).isdisjoint(ROLES_THAT_ASK)
    return any(viewer.holds(power, place.path) for power in KEEPING)


def visible_accounts(viewer: Viewer) -> QuerySet[ServiceAccount]:
    """Of projects that the person may see, of units that they decide, fund or audit in, and own."""
    rows = ServiceAccount.objects.select_related(*_WITH)
    if viewer.sees_everything:
        return rows
    seen = Q(project__in=visible_projects(viewer).values("pk"))
    seen |= below(viewer.paths(*SEE_DELEGATIONS), "unit__path")
    return rows.filter(seen | Q(owner=viewer.user), _here(viewer))


def visible_tokens(viewer: Viewer) -> QuerySet[ApiToken]:
    """One's own, and those of accounts that one owns or keeps; operators and auditors see all."""
    rows = ApiToken.objects.select_related(
        "user", "created_by", "revoked_by", *(f"service_account__{each}" for each in _WITH)
    )
    if viewer.sees_everything:
        return rows
    mine = Q(user=viewer.user) if viewer.place is None else Q(pk__in=[])
    kept = Q(service_account__in=_kept(viewer).values("pk"))
    return rows.filter(mine | kept)


def tokens_of(bearer: User | ServiceAccount) -> QuerySet[ApiToken]:
    """The tokens of a person or a service account, the newest first."""
    kind = {"user": bearer} if isinstance(bearer, User) else {"service_account": bearer}
    return ApiToken.objects.filter(**kind).order_by("-pk")


def live_counts(accounts: list[ServiceAccount], now: datetime) -> dict[int, int]:
    """{account id: tokens in force}; one query for any number."""
    live = ApiToken.objects.filter(
        service_account__in=accounts, revoked_at__isnull=True, ends_at__gt=now
    )
    counts = live.order_by().values_list("service_account").annotate(Count("pk"))
    return {each.pk: 0 for each in accounts} | dict(counts)


def _kept(viewer: Viewer) -> QuerySet[ServiceAccount]:
    """The accounts that the person owns, or that lie where they keep programs."""
    mine = Membership.objects.live(viewer.now).filter(viewer.own(), role__in=ROLES_THAT_ASK)
    theirs = Q(project__in=mine.values("project"))
    theirs |= below(viewer.paths(*KEEPING), "unit__path")
    return ServiceAccount.objects.filter(theirs | Q(owner=viewer.user), _here(viewer))


def _here(viewer: Viewer) -> Q:
    """The condition on an account that it lies where one may act."""
    if viewer.place is None:
        return Q()
    if viewer.place.project_id is not None:
        return Q(project=viewer.place.project_id)
    path = viewer.place.unit_path
    return Q(project__unit__path__startswith=path) | Q(unit__path__startswith=path)
