"""Who may decide in the demo site, and what there is to give."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.lib.amounts import parse_amount
from projects.actions.people import set_operator
from projects.models import LOCAL_ISSUER, Delegation, Unit, User
from projects.states import Power
from quotas.actions import envelopes, ledger
from quotas.actions.delegations import Bound, delegate, delegate_root
from quotas.models import Offering, Resource
from quotas.queries.accounts import zone_fills

DECIDE = (Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS, Power.MANAGE_ENVELOPES, Power.MANAGE_MEMBERS)


@dataclass(frozen=True)
class Grant:
    """By whom, to whom, where; how much a decision may add; for how many days from today."""

    grantor: str
    user: str
    unit: str
    depth: int
    days: int
    purpose: str
    per_decision: dict[str, str]


GRANTS = (
    Grant(
        "otto", "erin", "ep", 3, 500, "Head of the department.",
        {"vcpu": "1024", "ram": "4TiB", "instances": "512", "space": "60TiB", "volumes": "1000",
         "snapshots": "1000"},
    ),
    Grant(
        "erin", "dana", "atlas", 1, 200, "Computing coordinator of ATLAS.",
        {"vcpu": "128", "ram": "512GiB", "instances": "64", "space": "4TiB", "volumes": "200",
         "snapshots": "200"},
    ),
    Grant(
        "erin", "hugo", "cms", 0, 300, "Computing coordinator of CMS.",
        {"vcpu": "256", "ram": "1TiB", "instances": "128", "space": "10TiB", "volumes": "200",
         "snapshots": "200"},
    ),
    Grant(
        "olga", "jonas", "it", 1, 400, "Deputy head of the department.",
        {"vcpu": "512", "ram": "2TiB", "instances": "256", "space": "20TiB", "volumes": "500",
         "snapshots": "500"},
    ),
)  # fmt: skip

# Of what can be promised, this much is issued; the units take their shares of it.
ISSUED_PERCENT = 90
UNKNOWN_CAPACITY = {"space": "50TiB", "volumes": "5000", "snapshots": "5000"}
ENVELOPES = (("ep", None, 65), ("atlas", "ep", 50), ("cms", "ep", 25), ("it", None, 25))
# One envelope that is nearly given away, so that there is something tight to see.
TIGHT = {("atlas", "geneva.storage-b.space"): "10TiB"}


def local(subject: str) -> User:
    return User.objects.get(issuer=LOCAL_ISSUER, subject=subject)


def hand_out(now: datetime) -> None:
    """Operator, roots, an auditor, and the delegations below."""
    otto, olga = local("otto"), local("olga")
    tops = list(Unit.objects.filter(parent__isnull=True).order_by("path"))
    set_operator(user=otto, is_operator=True, actor=None, now=now)
    delegate_root(
        users=[otto, olga], units=tops, powers=list(Power), depth=5, ends_at=None, now=now
    )
    delegate_root(
        users=[local("audrey")], units=tops, powers=[Power.AUDIT], depth=0, ends_at=None, now=now
    )
    for minutes, each in enumerate(GRANTS, start=1):
        _grant(each, now + timedelta(minutes=minutes))


def _grant(each: Grant, now: datetime) -> None:
    grantor, unit = local(each.grantor), Unit.objects.get(slug=each.unit)
    resources = {resource.slug: resource for resource in Resource.objects.all()}
    held = [
        row
        for row in Delegation.objects.filter(user=grantor).select_related("unit")
        if unit.path.startswith(row.unit.path) and set(DECIDE) <= set(row.powers)
    ]
    delegate(
        parent=held[0],
        grantor=grantor,
        user=local(each.user),
        unit=unit,
        powers=DECIDE,
        starts_at=now,
        ends_at=now + timedelta(days=each.days),
        depth=each.depth,
        bounds=[
            Bound(resource=resources[slug], per_decision=base_units(text, resources[slug]))
            for slug, text in each.per_decision.items()
        ],
        purpose=each.purpose,
        now=now,
    )


def issue_and_fund(now: datetime) -> None:
    """Issue most of what the zones can carry, and give the units their envelopes."""
    otto = local("otto")
    offerings = list(Offering.objects.select_related("resource", "zone"))
    fills = zone_fills([each.pk for each in offerings], now.date())
    shares: dict[tuple[str | None, int], int] = {}
    for offering in offerings:
        fill = fills[offering.pk]
        resource = offering.resource
        amount = (
            base_units(UNKNOWN_CAPACITY[resource.slug], resource)
            if fill is None
            else _share(fill.size, ISSUED_PERCENT, resource.step)
        )
        ledger.issue(offering=offering, amount=amount, actor=otto, now=now)
        shares[None, offering.pk] = amount
    for slug, above, percent in ENVELOPES:
        unit = Unit.objects.get(slug=slug)
        for offering in offerings:
            exact = TIGHT.get((slug, offering.slug))
            amount = (
                base_units(exact, offering.resource)
                if exact
                else _share(shares[above, offering.pk], percent, offering.resource.step)
            )
            envelopes.fund(offering=offering, unit=unit, amount=amount, actor=otto, now=now)
            shares[slug, offering.pk] = amount


def _share(amount: int, percent: int, step: int) -> int:
    return amount * percent // 100 // step * step


def base_units(text: str, resource: Resource, current: int = 0) -> int:
    """ "4TiB" or, from what there is, "+64"."""
    return parse_amount(text, unit=resource.unit, current=current, step=resource.step)
