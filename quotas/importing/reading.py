"""From the text of an answers' file to what it says, or to everything that is wrong with it.

Read with the hands that read the site's file: each mistake has its line and the nearest name.
"""

from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase

from portal.lib.amounts import AmountError, parse_amount
from projects.models import Unit
from projects.states import Role
from quotas.catalogue.document import Block, Text, Value, compose, nearest
from quotas.catalogue.problems import Problems
from quotas.models import Endpoint

from .answers import KEEP, NOBODY, Answers, PerLimit, ProjectAnswer, Rule
from .contradictions import ACCEPTABLE
from .shape import Managed, Shape

SECTIONS = (
    "rules", "projects", "roles", "people", "groups", "unlimited", "split", "totals", "unfed",
    "differing", "off_step", "disabled", "room", "accept",
)  # fmt: skip
DIFFERING = ("larger", "smaller", KEEP)
OFF_STEP = ("up", "down", KEEP)
DISABLED = ("suspend", "leave_out")
TOTALS = ("follow", KEEP)
UNFED = ("zero", KEEP)
ROOM = ("issue", "fund", KEEP)
UNKNOWN = ("make", "leave_out")


def read_answers(text: str, shape: Shape) -> Answers:
    """What the file says. Raises quotas.catalogue.problems.Refused with every mistake."""
    problems = Problems()
    answers = Answers()
    top = compose(text, problems)
    top.known(SECTIONS)
    _Reader(answers, shape, problems).read(top)
    problems.refuse()
    return answers


def no_answers() -> Answers:
    """Before there is a file."""
    answers = Answers()
    answers.units = _living_units()
    return answers


def _living_units() -> dict[str, Unit]:
    return {each.slug: each for each in Unit.objects.filter(retired_at__isnull=True)}


class _Reader:
    def __init__(self, answers: Answers, shape: Shape, problems: Problems) -> None:
        self.answers = answers
        self.shape = shape
        self.problems = problems
        self.offerings = {each.slug: each for each in shape.offerings.values()}
        self.identities = set(
            Endpoint.objects.filter(identity__isnull=True).values_list("slug", flat=True)
        )
        answers.units = _living_units()

    def read(self, top: Block) -> None:
        self._rules(top)
        for key, value in self._entries(top, "projects"):
            self.answers.projects[key.value] = self._project(value.block())
        self.answers.roles = self._names(top, "roles", {*Role.values, NOBODY})
        self._people(top)
        self.answers.groups = self._names(top, "groups", None)
        self.answers.unlimited = self._per_limit(top, "unlimited", self._number)
        self.answers.split = self._per_limit(top, "split", self._shares)
        self.answers.totals = self._per_limit(top, "totals", self._total)
        self.answers.unfed = self._per_limit(top, "unfed", self._unfed)
        self.answers.differing = self._word(top, "differing", DIFFERING)
        self.answers.off_step = self._word(top, "off_step", OFF_STEP)
        self.answers.disabled = self._word(top, "disabled", DISABLED)
        self._room(top)
        accepted = top.get("accept")
        kinds = [str(each) for each in ACCEPTABLE]
        for item in accepted.items() if accepted else ():
            text = item.text()
            if text is not None and self._is_one_of(text, kinds):
                self.answers.accept.append(text.value)

    def _entries(self, top: Block, key: str) -> list[tuple[Text, Value]]:
        value = top.get(key)
        return list(value.block().entries()) if value else []

    def _is_one_of(self, text: Text, words: Collection[str]) -> bool:
        if text.value in words:
            return True
        self.problems.add(
            text.line, f"{text.value[:80]} is none of them{nearest(text.value, words)}"
        )
        return False

    def _word(self, top: Block, key: str, words: Collection[str]) -> str:
        value = top.get(key)
        text = value.text() if value else None
        return text.value if text is not None and self._is_one_of(text, words) else ""

    def _names(self, top: Block, key: str, words: Collection[str] | None) -> dict[str, str]:
        """{a name of theirs: one of ours}."""
        found = {}
        for name, value in self._entries(top, key):
            text = value.text()
            if text is not None and (words is None or self._is_one_of(text, words)):
                found[name.value] = text.value
        return found

    def _rules(self, top: Block) -> None:
        value = top.get("rules")
        for item in value.items() if value else ():
            block = item.block()
            block.known(("name", "tag", "parent", "unit", "leave_out"))
            rule = Rule(
                name=block.text("name"), tag=block.text("tag"), parent=block.text("parent"),
                unit=self._unit(block), leave_out=self._flag(block, "leave_out"),
            )  # fmt: skip
            if not (rule.name or rule.tag or rule.parent):
                self.problems.add(block.line, "a rule needs name, tag or parent.")
            if bool(rule.unit) == rule.leave_out and not self.problems.found:
                self.problems.add(
                    block.line, "a rule says unit or leave_out: true, one of the two."
                )
            self.answers.rules.append(rule)

    def _unit(self, block: Block) -> str:
        said = block.text("unit")
        if said and said not in self.answers.units:
            self.problems.add(
                block.line_of("unit"),
                f"{said} is no living unit{nearest(said, self.answers.units)}",
            )
            return ""
        return said

    def _flag(self, block: Block, key: str) -> bool:
        said = block.text(key)
        if said and said not in ("true", "false"):
            self.problems.add(block.line_of(key), f"{key} must be true or false.")
        return said == "true"

    def _project(self, block: Block) -> ProjectAnswer:
        block.known(("unit", "leave_out", "name", "like", "quota", "owners"))
        like = block.text("like")
        if like and like not in self.identities:
            self.problems.add(
                block.line_of("like"),
                f"{like} is no identity endpoint{nearest(like, self.identities)}",
            )
        owners = block.get("owners")
        return ProjectAnswer(
            unit=self._unit(block),
            leave_out=self._flag(block, "leave_out"),
            name=block.text("name"),
            like=like,
            quota=(quota := self._quota(block)),
            written={slug: _text_of(block, slug) for slug in quota},
            owners=tuple(
                text.value
                for item in (owners.items() if owners else ())
                if (text := item.text()) is not None
            ),
        )

    def _quota(self, block: Block) -> dict[str, int]:
        found: dict[str, int] = {}
        value = block.get("quota")
        for slug, said in value.block().entries() if value else ():
            offering = self.offerings.get(slug.value)
            if offering is None:
                self.problems.add(
                    slug.line,
                    f"{slug.value[:80]} is no offering{nearest(slug.value, self.offerings)}",
                )
                continue
            resource = offering.resource
            amount = self._amount(said, resource.quota_unit, resource.step)
            if amount is not None:
                found[slug.value] = amount
        return found

    def _amount(self, value: Value, unit: str, step: int) -> int | None:
        text = value.text()
        if text is None:
            return None
        if text.value.startswith(("-", "+", "\N{MINUS SIGN}")):
            self.problems.add(text.line, f"{text.value[:80]} must be an amount without a sign.")
            return None
        try:
            return parse_amount(text.value, unit=unit, current=0, step=step)
        except AmountError as error:
            self.problems.add(text.line, error.sentence)
            return None

    def _people(self, top: Block) -> None:
        value = top.get("people")
        if value is None:
            return
        block = value.block()
        block.known(("unknown", "issuer", "ids"))
        self.answers.unknown_people = self._word(block, "unknown", UNKNOWN)
        self.answers.issuer = block.text("issuer", most=200)
        self.answers.people = self._names(block, "ids", None)

    def _room(self, top: Block) -> None:
        for holder, value in self._entries(top, "room"):
            text = value.text()
            known = {*self.answers.units, "pool", "*"}
            if holder.value not in known:
                self.problems.add(
                    holder.line,
                    f"{holder.value[:80]} is no living unit{nearest(holder.value, known)}",
                )
            elif text is not None and self._is_one_of(text, ROOM):
                self.answers.room[holder.value] = text.value

    # --- per limit ----------------------------------------------------------------------

    def _per_limit(
        self, top: Block, key: str, take: Callable[[Value, list[Managed]], bool]
    ) -> list[PerLimit]:
        """Answers by patterns of limits' names; of several that fit a limit the first counts."""
        found = []
        for pattern, value in self._entries(top, key):
            fitting = [
                each
                for each in self.shape.managed.values()
                if fnmatchcase(each.name, pattern.value)
            ]
            if not fitting:
                names = [each.name for each in self.shape.managed.values()]
                self.problems.add(
                    pattern.line,
                    f"no limit is called {pattern.value[:80]}{nearest(pattern.value, names)}",
                )
            elif take(value, fitting):
                found.append(PerLimit(pattern.value, _as_written(value)))
        return found

    def _number(self, value: Value, fitting: list[Managed]) -> bool:
        text = value.text()
        if text is None:
            return False
        for each in fitting:
            limit = each.limit
            if text.value == KEEP:
                self.answers.numbers.setdefault(limit.pk, None)
                continue
            amount = self._amount(value, limit.quota_unit, limit.step)
            if amount is None:
                return False
            self.answers.numbers.setdefault(limit.pk, amount)
        return True

    def _shares(self, value: Value, fitting: list[Managed]) -> bool:
        """All to one zone, or {zone: share}."""
        if value.is_text:
            text = value.text()
            wanted = {text: 1} if text is not None else {}
        else:
            wanted = {zone: self._share(said) for zone, said in value.block().entries()}
        for each in fitting:
            zones = {feed.offering.zone.slug: feed.offering.pk for feed in each.feeds}
            for zone in wanted:
                if zone.value not in zones:
                    self.problems.add(
                        zone.line,
                        f"{zone.value[:80]} does not count against {each.name}"
                        f"{nearest(zone.value, zones)}",
                    )
                    return False
            shares = {zones[zone.value]: share for zone, share in wanted.items()}
            if not any(shares.values()):
                self.problems.add(value.line, "somebody must have a share.")
                return False
            self.answers.shares.setdefault(each.limit.pk, shares)
        return True

    def _share(self, value: Value) -> int:
        text = value.text()
        if text is not None and text.value.isascii() and text.value.isdigit():
            return min(int(text.value[:7]), 1_000_000)
        self.problems.add(value.line, "a share is a whole number, like 50.")
        return 0

    def _total(self, value: Value, fitting: list[Managed]) -> bool:
        return self._either(value, fitting, TOTALS, self.answers.follows)

    def _unfed(self, value: Value, fitting: list[Managed]) -> bool:
        return self._either(value, fitting, UNFED, self.answers.zeroes)

    def _either(
        self, value: Value, fitting: list[Managed], words: tuple[str, str], into: dict[int, bool]
    ) -> bool:
        text = value.text()
        if text is None or not self._is_one_of(text, words):
            return False
        for each in fitting:
            into.setdefault(each.limit.pk, text.value == words[0])
        return True


def _text_of(block: Block, slug: str) -> str:
    value = block.get("quota")
    return value.block().text(slug) if value else ""


def _as_written(value: Value) -> str | Mapping[str, str]:
    if value.is_text:
        text = value.text()
        return text.value if text else ""
    return {
        key.value: (text.value if (text := said.text()) else "")
        for key, said in value.block().entries()
    }
