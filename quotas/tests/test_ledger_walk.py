"""Random histories of the ledger: after every step it adds up and nothing is overdrawn."""

from datetime import date, timedelta

import hypothesis.strategies as st
import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from portal.lib.errors import DomainError
from projects.models import Project
from projects.states import Role
from quotas.actions import decide, requests
from quotas.actions.envelopes import fund
from quotas.actions.ledger import issue
from quotas.actions.return_undos import undo_return
from quotas.actions.returns import return_quota
from quotas.actions.wishes import Wish
from quotas.models import Account, Holder, Loan, QuotaReturn, RequestLine
from quotas.queries.accounts import audit, balance_as_of
from quotas.queries.proof_returns import check_returns
from quotas.states import LineState
from quotas.tests.site import NOW, Site, join, make_project, make_site

UNITS = ("ep", "atlas", "it")
PROJECTS = ("atlas-reco", "p-two")


class LedgerWalk(RuleBasedStateMachine):
    """Issue, fund, ask, grant in full or trimmed, lend, give back, have again, withdraw."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.site: Site = make_site(NOW)
        self.clock = NOW
        second = make_project(self.site, "p-two", "it", NOW)
        join(second, self.site.alice, Role.OWNER, NOW)
        self.past: list[tuple[int, int]] = []
        self.refused = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def try_(self, act: object, **arguments: object) -> object:
        """Do it or be refused; a refusal must leave nothing behind, which `adds_up` sees."""
        self.clock += timedelta(minutes=1)
        try:
            with transaction.atomic():
                return act(now=self.clock, **arguments)  # type: ignore[operator]
        except DomainError:
            self.refused += 1
            return None

    @rule(amount=st.integers(-5, 400))
    def issues(self, amount: int) -> None:
        self.try_(issue, offering=self.site.vcpu, amount=amount, actor=None)

    @rule(unit=st.sampled_from(UNITS), amount=st.integers(-5, 3000))
    def funds(self, unit: str, amount: int) -> None:
        self.try_(
            fund, offering=self.site.vcpu, unit=self.site.units[unit], amount=amount, actor=None
        )

    @rule(
        slug=st.sampled_from(PROJECTS),
        wanted=st.integers(-1, 1500),
        days=st.none() | st.integers(-1, 90),
    )
    def asks(self, slug: str, wanted: int, days: int | None) -> None:
        until = None if days is None else date(2026, 11, 20) + timedelta(days=days)
        project = type(self.site.project).objects.select_related("unit").get(slug=slug)
        wish = Wish({self.site.vcpu.slug: wanted}, "walk", until)
        self.try_(requests.submit, project=project, wish=wish, actor=self.site.alice)

    @rule(
        slug=st.sampled_from(PROJECTS),
        wanted=st.integers(0, 900),
        days=st.none() | st.integers(0, 90),
        trim=st.integers(0, 3),
    )
    def gets(self, slug: str, wanted: int, days: int | None, trim: int) -> None:
        """Ask and be answered at once: most of what moves."""
        self.asks(slug, wanted, days)
        self.ends(slug, "otto", trim, "approve")

    @rule(
        slug=st.sampled_from(PROJECTS),
        who=st.sampled_from(["dana", "erin", "otto"]),
        trim=st.integers(0, 3),
        verb=st.sampled_from(["approve", "approve", "approve", "decline", "withdraw"]),
    )
    def ends(self, slug: str, who: str, trim: int, verb: str) -> None:
        line = (
            RequestLine.objects.filter(project__slug=slug, state=LineState.OPEN)
            .select_related("request__project")
            .first()
        )
        if line is None:
            return
        asked, actor = line.request, self.site.people[who]
        if verb == "withdraw":
            self.try_(requests.withdraw, quota_request=asked, actor=self.site.alice)
        elif verb == "decline":
            self.try_(
                decide.decline, quota_request=asked, line_ids=[line.pk], reason="no",
                version=asked.version, actor=actor,
            )  # fmt: skip
        else:
            balance = self.site.quota(self.site.vcpu, asked.project)
            granted = line.wanted + (trim if line.wanted < balance else -trim)
            self.try_(
                decide.approve, quota_request=asked, granted={line.pk: granted},
                seen={line.pk: balance}, version=asked.version, actor=actor,
            )  # fmt: skip

    @rule(slug=st.sampled_from(PROJECTS), amount=st.integers(0, 600))
    def returns(self, slug: str, amount: int) -> None:
        project = Project.objects.select_related("unit").get(slug=slug)
        seen = self.site.quota(self.site.vcpu, project)
        self.try_(
            return_quota, project=project, offering=self.site.vcpu, amount=min(amount, seen),
            seen=seen, actor=self.site.alice,
        )  # fmt: skip

    @rule(part=st.none() | st.integers(0, 600))
    def undoes(self, part: int | None) -> None:
        found = QuotaReturn.objects.order_by("-pk").first()
        if found is not None:
            self.try_(undo_return, quota_return=found, amount=part, actor=self.site.alice)

    @rule()
    def remembers(self) -> None:
        """What a balance was at this moment must be found again later."""
        account = Account.objects.get(offering=self.site.vcpu, unit=self.site.units["atlas"])
        self.past.append((int((self.clock - NOW).total_seconds()), account.balance))

    @invariant()
    def adds_up(self) -> None:
        assert audit() == []
        sums = Account.objects.values("offering").annotate(total=Sum("balance"))
        assert {row["total"] for row in sums} == {0}
        others = Account.objects.exclude(holder=Holder.SITE)
        assert not others.filter(balance__lt=0).exists()

    @invariant()
    def no_more_is_had_again_than_was_returned(self) -> None:
        assert list(check_returns()) == []

    @invariant()
    def loans_fit_in_what_is_there(self) -> None:
        for account in Account.objects.filter(loans__isnull=False).distinct():
            lent = Loan.objects.filter(account=account).aggregate(total=Sum("outstanding"))
            assert lent["total"] <= account.balance

    @invariant()
    def the_past_stays_as_it_was(self) -> None:
        account = Account.objects.get(offering=self.site.vcpu, unit=self.site.units["atlas"])
        for seconds, balance in self.past[-3:]:
            assert balance_as_of(account, NOW + timedelta(seconds=seconds)) == balance


@pytest.mark.django_db
def test_the_ledger_holds_through_any_history() -> None:
    run_state_machine_as_test(
        LedgerWalk,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
