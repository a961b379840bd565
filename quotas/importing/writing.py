"""The answers' file: all that was answered, and each open contradiction as a line to uncomment."""

from collections.abc import Iterable, Iterator, Mapping

from portal.lib.plain import one_line

from .answers import Answers, PerLimit, ProjectAnswer, Rule
from .contradictions import ACCEPTABLE, Contradiction, Kind

HEAD = """\
# Answers for `manage.py import_cloud --mapping FILE`; docs/import.md explains each section.
# What was answered before stands as it was read. What is open stands as a comment: take the #
# away, choose, and run it again. Of several patterns the first that fits counts; * and ? stand
# for any part of a name.
"""
MOST_NAMED = 3


def answers_text(answers: Answers, open_ones: Iterable[Contradiction]) -> str:
    """YAML that `read_answers` reads back as the same answers."""
    by_kind: dict[Kind, list[Contradiction]] = {}
    for each in open_ones:
        by_kind.setdefault(each.kind, []).append(each)
    return "\n".join([HEAD, *_Writer(answers, by_kind).lines()]) + "\n"


class _Writer:
    def __init__(self, answers: Answers, by_kind: Mapping[Kind, list[Contradiction]]) -> None:
        self.answers = answers
        self.by_kind = by_kind

    def lines(self) -> Iterator[str]:
        yield "# Whose name, tag or parent fits belongs to the unit, or is left out."
        yield "rules:"
        yield from (f"  - {_rule(each)}" for each in self.answers.rules)
        if not self.answers.rules:
            yield '  # - {name: "admin", leave_out: true}'
            yield '  # - {name: "*", unit: SLUG}'
        yield from self._projects()
        yield from self._names(
            "roles", "What a role there is here: owner, manager, member, reader, or - for nothing.",
            self.answers.roles, Kind.ROLE, "reader",
        )  # fmt: skip
        yield from self._people()
        yield from self._per_limit(
            "unlimited", "A number for what has none, or keep: it stays, and is shown as drift.",
            self.answers.unlimited, Kind.UNLIMITED, "keep",
        )  # fmt: skip
        yield from self._per_limit(
            "split", "Which zone has a limit that several share, or {zone: share, ...}.",
            self.answers.split, Kind.SHARED, "ZONE",
        )  # fmt: skip
        yield from self._per_limit(
            "totals", "A total that is not the sum of its parts: follow (it becomes that) or keep.",
            self.answers.totals, Kind.TOTAL, "follow",
        )  # fmt: skip
        yield from self._per_limit(
            "unfed", "What nothing counts against that is offered: zero or keep.",
            self.answers.unfed, Kind.UNFED, "keep",
        )  # fmt: skip
        yield from self._word(
            "differing", "Limits of one quota that disagree: larger, smaller or keep.",
            self.answers.differing, Kind.DIFFERS, "larger",
        )  # fmt: skip
        yield from self._word(
            "off_step", "Amounts between two steps: up, down or keep.",
            self.answers.off_step, Kind.STEP, "up",
        )  # fmt: skip
        yield from self._word(
            "disabled", "Projects that are disabled: suspend or leave_out.",
            self.answers.disabled, Kind.DISABLED, "suspend",
        )  # fmt: skip
        yield from self._room()
        yield from self._accept()

    def _projects(self) -> Iterator[str]:
        yield ""
        yield "# Of single projects, by their ids: unit, leave_out, name, like, quota, owners."
        yield "projects:"
        for key, said in self.answers.projects.items():
            yield f"  {_quoted(key)}: {_project(said)}"
        ways = {
            Kind.UNIT: "{unit: SLUG}", Kind.NAME: "{name: ANOTHER}", Kind.FOREIGN:
            "{leave_out: true}", Kind.DISAGREE: "{like: IDENTITY}", Kind.OWNER: "{owners: SUBJECT}",
        }  # fmt: skip
        for kind, way in ways.items():
            for each in self.by_kind.get(kind, ()):
                words = ": ".join(filter(None, (each.project, each.figures)))
                yield f"  # {_quoted(each.key)}: {way}  # {kind}: {one_line(words)}"

    def _names(
        self, section: str, words: str, said: Mapping[str, str], kind: Kind, way: str
    ) -> Iterator[str]:
        yield ""
        yield f"# {words}"
        yield f"{section}:"
        yield from (f"  {_quoted(key)}: {_quoted(value)}" for key, value in said.items())
        for each in self.by_kind.get(kind, ()):
            yield f"  # {_quoted(each.key)}: {way}  # {_words(each)}"

    def _people(self) -> Iterator[str]:
        yield ""
        yield "# Who holds roles there and is not known here. unknown: make (an account, by name)"
        yield "# or leave_out; ids: the subject of single ones here, or - for nobody; issuer: whose"
        yield "# people they are, where several identity providers know a subject."
        yield "people:"
        if self.answers.unknown_people:
            yield f"  unknown: {self.answers.unknown_people}"
        elif Kind.PERSON in self.by_kind:
            yield "  # unknown: leave_out"
        if self.answers.issuer:
            yield f"  issuer: {_quoted(self.answers.issuer)}"
        yield "  ids:"
        yield from (
            f"    {_quoted(key)}: {_quoted(value)}" for key, value in self.answers.people.items()
        )
        unknown = self.by_kind.get(Kind.PERSON, ())
        for each in unknown:
            if each.project.startswith("user "):
                yield f"    # {_quoted(each.key)}: SUBJECT  # {_words(each)}"
        yield ""
        yield "# Groups likewise, by what their identity provider calls them."
        yield "groups:"
        yield from (
            f"  {_quoted(key)}: {_quoted(value)}" for key, value in self.answers.groups.items()
        )
        for each in unknown:
            if each.project.startswith("group "):
                yield f"  # {_quoted(each.key)}: ID  # {_words(each)}"

    def _per_limit(
        self, section: str, words: str, said: Iterable[PerLimit], kind: Kind, way: str
    ) -> Iterator[str]:
        yield ""
        yield f"# {words}"
        yield f"{section}:"
        for answer in said:
            yield f"  {_quoted(answer.pattern)}: {_value(answer.value)}"
        projects: dict[str, list[str]] = {}
        for each in self.by_kind.get(kind, ()):
            projects.setdefault(each.subject, []).append(each.project)
        for subject, named in sorted(projects.items()):
            rest = len(named) - MOST_NAMED
            more = f" and {rest} more" if rest > 0 else ""
            words = one_line(", ".join(named[:MOST_NAMED]) + more)
            yield f"  # {_quoted(subject)}: {way}  # {words}"

    def _word(self, section: str, words: str, said: str, kind: Kind, way: str) -> Iterator[str]:
        yield ""
        yield f"# {words}"
        if said:
            yield f"{section}: {said}"
        else:
            count = len(self.by_kind.get(kind, ()))
            yield f"# {section}: {way}" + (f"  # {count} of them" if count else "")

    def _room(self) -> Iterator[str]:
        yield ""
        yield "# What an envelope, or the pool, lacks: issue (to the pool, and passed down), fund"
        yield "# (from what pays it), or keep (the limits stay, and nothing is booked). * is any."
        yield "room:"
        yield from (f"  {_quoted(key)}: {value}" for key, value in self.answers.room.items())
        holders = dict.fromkeys(each.key for each in self.by_kind.get(Kind.ROOM, ()))
        yield from (f"  # {_quoted(holder)}: issue" for holder in holders)

    def _accept(self) -> Iterator[str]:
        yield ""
        yield "# Kinds of contradictions that you let pass as they are."
        if self.answers.accept:
            yield f"accept: [{', '.join(_quoted(each) for each in self.answers.accept)}]"
        else:
            listed = [each for each in ACCEPTABLE if each in self.by_kind]
            yield f"# accept: [{', '.join(_quoted(each) for each in listed)}]"


def _rule(rule: Rule) -> str:
    parts = [
        f"{key}: {_quoted(value)}"
        for key, value in (
            ("name", rule.name), ("tag", rule.tag), ("parent", rule.parent), ("unit", rule.unit),
        )
        if value
    ]  # fmt: skip
    return "{" + ", ".join([*parts, *(["leave_out: true"] if rule.leave_out else [])]) + "}"


def _project(said: ProjectAnswer) -> str:
    parts = [
        f"{key}: {_quoted(value)}"
        for key, value in (("unit", said.unit), ("name", said.name), ("like", said.like))
        if value
    ]
    if said.leave_out:
        parts.append("leave_out: true")
    if said.quota:
        amounts = ", ".join(f"{slug}: {_quoted(said.written[slug])}" for slug in said.quota)
        parts.append(f"quota: {{{amounts}}}")
    if said.owners:
        parts.append(f"owners: [{', '.join(map(_quoted, said.owners))}]")
    return "{" + ", ".join(parts) + "}"


def _value(value: str | Mapping[str, str]) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return "{" + ", ".join(f"{_quoted(key)}: {each}" for key, each in value.items()) + "}"


def _words(each: Contradiction) -> str:
    """What a contradiction is about, on one line whatever others called it."""
    return one_line(f"{each.project}, {each.figures}")


def _quoted(text: str) -> str:
    """A text as YAML takes it in double quotes, on one line whatever stands in it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in plain) + '"'
    )
