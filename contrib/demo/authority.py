"""Who may decide in the demo site, and what there is to give."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portal.lib.amounts import parse_amount
from projects.actions.people import set_operator
from projects.models import LOCAL_ISSUER, Delegation, ProjectKind, Unit, User
from projects.states import Power
from quotas.actions import envelopes, ledger, policies
from quotas.actions.delegations import Bound, delegate
from quotas.actions.policies import Terms
from quotas.actions.roots import delegate_root
from quotas.models import Offering, Resource
from quotas.queries.accounts import zone_fills
from quotas.states import Direction

DECIDE = (Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS, Power.MANAGE_ENVELOPES, Power.MANAGE_MEMBERS)


@dataclass(frozen=True)
class Grant:
    """By whom, to whom, where; how much may be added; for how many days from today."""

    grantor: str
    user: str
    unit: str
    depth: int
    days: int
    purpose: str
    per_decision: dict[str, str]
    # What all decisions of a year may add together, where that is bounded.
    a_year: dict[str, str] = field(default_factory=dict)


# What coordinators may add of networks, shares and buckets; heads may twice as much.
SERVICES = {
    "networks": 20, "routers": 10, "floating-ips": 40, "security-groups": 200,
    "load-balancers": 20, "share-space": 20 * 2**40, "shares": 100, "object-space": 100 * 2**40,
    "buckets": 200,
}  # fmt: skip
ACCESS = {"gpu": "1", "fast": "1"}


def _services(times: int) -> dict[str, str]:
    amounts = {slug: amount * times for slug, amount in SERVICES.items()}
    in_bytes = {
        slug: f"{amount // 2**30}GiB" for slug, amount in amounts.items() if "space" in slug
    }
    return {slug: str(amount) for slug, amount in amounts.items()} | in_bytes | ACCESS


GRANTS = (
    Grant(
        "otto", "erin", "ep", 3, 500, "Head of the department.",
        {"vcpu": "1024", "ram": "4TiB", "instances": "512", "space": "60TiB", "volumes": "1000",
         "snapshots": "1000"} | _services(2),
    ),
    Grant(
        "erin", "dana", "atlas", 1, 200, "Computing coordinator of ATLAS.",
        {"vcpu": "128", "ram": "512GiB", "instances": "64", "space": "4TiB", "volumes": "200",
         "snapshots": "200"} | _services(1),
        {"vcpu": "800", "ram": "3TiB", "space": "12TiB"},
    ),
    Grant(
        # It ends in three weeks, which coverage and his own remit tell.
        "erin", "hugo", "cms", 0, 141, "Computing coordinator of CMS.",
        {"vcpu": "256", "ram": "1TiB", "instances": "128", "space": "10TiB", "volumes": "200",
         "snapshots": "200"} | _services(1),
    ),
    Grant(
        "olga", "jonas", "it", 1, 400, "Deputy head of the department.",
        {"vcpu": "512", "ram": "2TiB", "instances": "256", "space": "20TiB", "volumes": "500",
         "snapshots": "500"} | _services(2),
    ),
)  # fmt: skip

A_YEAR = 365
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
    for top in tops:
        _let_ask_for_others(local("hilda"), top, now + timedelta(minutes=len(GRANTS) + 1))


def _let_ask_for_others(user: User, unit: Unit, now: datetime) -> None:
    parent = Delegation.objects.get(user__subject="otto", unit=unit)
    delegate(
        parent=parent, grantor=local("otto"), user=user, unit=unit, powers=[Power.ASK_FOR_OTHERS],
        starts_at=now, ends_at=None, depth=0, bounds=[], purpose="The service desk.", now=now,
    )  # fmt: skip


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
        bounds=[_bound(each, resources[slug]) for slug in each.per_decision],
        purpose=each.purpose,
        now=now,
    )


def _bound(each: Grant, resource: Resource) -> Bound:
    total = each.a_year.get(resource.slug)
    return Bound(
        resource=resource,
        per_decision=base_units(each.per_decision[resource.slug], resource),
        total=base_units(total, resource) if total else None,
        period_days=A_YEAR if total else None,
    )


def make_rules(today: datetime) -> None:
    """Decreases at once everywhere below EP, small increases in ATLAS, and one rule to come."""
    resources = {resource.slug: resource for resource in Resource.objects.all()}
    steps = Terms(
        resource=resources["vcpu"], most_percent=25, most_amount=32, every_days=30,
        usage_above_percent=60, envelope_left_percent=10,
    )  # fmt: skip
    personal = Terms(
        resource=resources["space"], project_kind=ProjectKind.PERSONAL, most_percent=50,
        every_days=90,
    )  # fmt: skip
    for days, who, unit, name, terms, is_on in (
        (3.4, "erin", "ep", "What comes back", Terms(direction=Direction.DECREASE), True),
        (3.2, "dana", "atlas", "Small steps for those who use theirs", steps, True),
        (1.1, "erin", "ep", "Room to play", personal, False),
    ):
        made = policies.make(
            unit=Unit.objects.get(slug=unit), name=name, terms=terms, actor=local(who),
            now=today - timedelta(days=days),
        )  # fmt: skip
        if is_on:
            later = today - timedelta(days=days - 0.1)
            policies.switch_on(policy=made, version=1, actor=local(who), now=later)


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
