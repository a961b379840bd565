"""What a walk is made of: steps that are drawn, a clock, acts that are allowed or refused."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import hypothesis.strategies as st
from django.db import transaction
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, rule

from portal.lib.errors import DomainError
from projects.models import Delegation, Group, Project, Unit, User
from quotas.tests.site import NOW, Site
from quotas.tests.walk.slow_authority import Slow
from quotas.tests.walk.slow_chains import Stored

Some = TypeVar("Some")
Method = TypeVar("Method", bound=Callable[..., None])
STEP = timedelta(seconds=1)
NUMBERS = st.integers(0, 23)
# How much more often a step comes in a walk that is about it.
OFTEN = 4


def step(times: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Method], Method]:
    """A step of the walk with what is drawn for it; times: how often it comes among the others.

    Hypothesis would leave many rules out of each of few examples: all are steps of one rule.
    """

    def mark(method: Method) -> Method:
        method.step = (times, st.fixed_dictionaries(drawn))  # type: ignore[attr-defined]  # read below
        return method

    return mark


def pick(rows: Sequence[Some], number: int) -> Some:
    return rows[number % len(rows)]


class Machine(RuleBasedStateMachine):
    """A walk over one site; an example is undone at its end."""

    site: ClassVar[Site]
    # Names of the steps that a walk is about: they come more often.
    about: ClassVar[tuple[str, ...]] = ()
    # How often what was done and refused, over all examples.
    outcomes: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.clock = NOW
        # What is stored, as the last look found it; None: it changed since.
        self.stored: Stored | None = None

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    @rule(data=st.data())
    def goes_on(self, data: st.DataObject) -> None:
        """Any step, with anything that is drawn for it."""
        name = data.draw(st.sampled_from(self.steps()), label="step")
        _times, drawn = getattr(self, name).step
        getattr(self, name)(**data.draw(drawn, label=name))

    @classmethod
    def steps(cls) -> list[str]:
        """The name of each step, as often as it is to come."""
        marked = {
            name: found[0]
            for name in dir(cls)
            if (found := getattr(getattr(cls, name), "step", None))
        }
        # What is drawn leans to the first ones: these are the steps that come most.
        times = {name: n * (OFTEN if name in cls.about else 1) for name, n in marked.items()}
        often = sorted(times, key=lambda name: (-times[name], name))
        return [name for name in often for _time in range(times[name])]

    # --- what steps use --------------------------------------------------------------------

    def slow(self) -> Slow:
        """What holds at the moment of the next act."""
        if self.stored is None:
            self.stored = Stored()
        return Slow(self.clock + STEP, self.stored)

    def try_(
        self,
        act: Callable[..., Some],
        *,
        allowed: bool | None = None,
        unless: tuple[type[DomainError], ...] = (),
        **arguments: Any,
    ) -> Some | None:
        """Do it; allowed: what must come of it (None: either), but for refusals of `unless`."""
        self.clock += STEP
        self.stored = None
        try:
            done = act(now=self.clock, **arguments)
        except DomainError as refusal:
            self.outcomes[f"{act.__name__} refused"] += 1
            note(f"   refused: {refusal.code} {refusal.sentence} {refusal.facts}")
            if allowed and not isinstance(refusal, unless):
                raise AssertionError("it is allowed, and was refused") from refusal
            return None
        self.outcomes[f"{act.__name__} done"] += 1
        assert allowed is not False, f"done, but not allowed: {done}"
        return done

    def people(self) -> list[User]:
        return list(User.objects.filter(is_active=True).order_by("pk"))

    def units(self) -> list[Unit]:
        return list(Unit.objects.order_by("pk"))

    def groups(self) -> list[Group]:
        return list(Group.objects.order_by("pk"))

    def projects(self) -> list[Project]:
        return list(Project.objects.select_related("unit").order_by("pk"))

    def delegations(self) -> list[Delegation]:
        return list(Delegation.objects.select_related("unit").order_by("-pk"))

    def likely(self, holders: Iterable[int], number: int) -> User:
        """Mostly one of those who might, sometimes anybody."""
        active = {each.pk: each for each in self.people()}
        able = [active[each] for each in sorted(set(holders)) if each in active]
        if able and number % 6:
            return pick(able, number)
        return pick(list(active.values()), number)
