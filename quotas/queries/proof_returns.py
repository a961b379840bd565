"""Did projects have again what they returned, no more than that, whence, as what, once, in time?

Owners return quota, and have it again, on nobody's authority: the ledger is the proof. Asked of
the database in three questions, whatever the number of returns.
"""

from collections.abc import Iterator

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from projects.states import ProjectActKind
from quotas.models import QuotaReturn, Transfer, TransferKind

from .proof_findings import Finding

BACK = (TransferKind.RETURN, TransferKind.REPAY)
GIVEN = (TransferKind.GRANT, TransferKind.LOAN)


def check_returns() -> Iterator[Finding]:
    """What of returns and of their undoing does not agree with the ledger."""
    rows = QuotaReturn.objects.annotate(
        back=_moved("act", "debit", BACK),
        given=_moved("undone_by", "credit", GIVEN),
        undone_at=F("undone_by__at"),
        # A loan stays a loan: only what was theirs for good is for good again.
        kept=_moved("act", "debit", (TransferKind.RETURN,)),
        repaid=F("back") - F("kept"),
        granted=_moved("undone_by", "credit", (TransferKind.GRANT,)),
        lent=F("given") - F("granted"),
        is_from_elsewhere=Exists(_drawn_elsewhere()),
    )
    wrong = ~Q(back=F("amount")) | ~Q(given=F("undone_amount")) | Q(undone_at__gte=F("undo_until"))
    wrong |= Q(granted__gt=F("kept")) | Q(lent__gt=F("repaid")) | Q(is_from_elsewhere=True)
    for each in rows.filter(wrong).order_by("pk").iterator(chunk_size=2000):
        name = f"return {each.pk} of account {each.account_id}"
        if each.back != each.amount:
            yield Finding(None, f"{name}, moved", each.amount, each.back)
        if each.given != each.undone_amount:
            yield Finding(None, f"{name}, undone", each.undone_amount, each.given)
        if each.undone_at is not None and each.undone_at >= each.undo_until:
            yield Finding(None, f"{name}, until", each.undo_until, each.undone_at)
        for what, most, found in (
            ("had for good", each.kept, each.granted), ("on loan", each.repaid, each.lent),
        ):  # fmt: skip
            if found > most:
                yield Finding(None, f"{name}, {what} again", f"at most {most}", found)
        if each.is_from_elsewhere:
            yield Finding(None, f"{name}, drawn from", "where it went", "elsewhere")
    for kind, column in (
        (ProjectActKind.RETURN, "act"), (ProjectActKind.UNDO_RETURN, "undone_by"),
    ):  # fmt: skip
        theirs = QuotaReturn.objects.filter(**{column: OuterRef("project_act")})
        moved = Transfer.objects.filter(project_act__kind=kind).exclude(Exists(theirs))
        for pk in moved.order_by("pk").values_list("pk", flat=True):
            yield Finding(None, f"return behind transfer {pk}", "one", "none")


def _drawn_elsewhere() -> QuerySet[Transfer]:
    """What the undoing of a return drew from accounts that the return gave nothing to."""
    went = Transfer.objects.filter(project_act=OuterRef(OuterRef("act")), credit=OuterRef("debit"))
    return Transfer.objects.filter(~Exists(went), project_act=OuterRef("undone_by"))


def _moved(act: str, side: str, kinds: tuple[TransferKind, ...]) -> Coalesce:
    """How much an act moved out of (debit) or into (credit) the account of a return."""
    rows: QuerySet[Transfer] = Transfer.objects.filter(
        project_act=OuterRef(act), kind__in=kinds, **{side: OuterRef("account")}
    )
    total = rows.order_by().values("project_act").annotate(total=Sum("amount")).values("total")
    return Coalesce(Subquery(total, output_field=BigIntegerField()), 0)
