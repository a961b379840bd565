"""Reading the people's half of a file: units, people, groups, projects, holidays."""

from datetime import date

from projects.models import LOCAL_ISSUER, ProjectKind
from projects.states import Role

from . import site, words
from .document import Block, Text, Value, day, nearest
from .problems import Problems

GROUP = "group:"
# What a project's block calls those who hold a role in it; `former` ends what they hold.
ROLE_KEYS = {
    "owners": Role.OWNER.value,
    "managers": Role.MANAGER.value,
    "members": Role.MEMBER.value,
    "readers": Role.READER.value,
    "former": "",
}


class PeopleReader:
    """Reads into a Site, section by section, in the order of `read`."""

    def __init__(self, into: site.Site, problems: Problems) -> None:
        self.site = into
        self.problems = problems

    def read(self, top: Block) -> None:
        units = top.get("units")
        if units:
            self._units(units.block(), "")
        for name, read in (
            ("people", self._person),
            ("groups", self._group),
            ("projects", self._project),
        ):
            section = top.get(name)
            for key, value in section.block().entries() if section else ():
                read(key, value)
        days = top.get("holidays")
        if days:
            self.site.holidays = {}
            for key, value in days.block().entries():
                self._holiday(key, value, self.site.holidays)

    def _holiday(self, key: Text, value: Value, into: dict[date, site.Holiday]) -> None:
        on, name = day(key, self.problems), value.text(most=100)
        if on is None or name is None:
            return
        if on in into:
            self.problems.add(key.line, f"{on} is a holiday twice, first on line {into[on].line}.")
            return
        into[on] = site.Holiday(on, name.value, key.line)

    def _units(self, block: Block, parent: str) -> None:
        for key, value in block.entries():
            own = value.named_block()
            own.known(("name", "units", "parent"))
            slug = words.slug(key, 63, self.problems)
            if slug is None:
                continue
            if slug in self.site.units:
                first = self.site.units[slug].line
                self.problems.add(key.line, f"{slug} is a unit twice, first on line {first}.")
                continue
            above = parent
            if "parent" in own:
                above = own.text("parent")
                if parent:
                    self.problems.add(
                        own.line_of("parent"), f"{slug} stands below {parent} already: no parent."
                    )
            self.site.units[slug] = site.Unit(
                slug, own.text("name", slug, most=200), above, key.line
            )
            below = own.get("units")
            if below:
                self._units(below.block(), slug)

    def _person(self, key: Text, value: Value) -> None:
        block = value.named_block()
        block.known(("name", "mail", "issuer", "subject", "password", "keystone"))
        person = site.Person(
            key.value,
            block.text("issuer", LOCAL_ISSUER, most=200),
            block.text("subject", key.value, most=200),
            block.text("name", key.value, most=200),
            block.text("mail", most=254),
            block.text("password", most=200),
            self._external_ids(block),
            key.line,
        )
        for other in self.site.people.values():
            if (other.issuer, other.subject) == (person.issuer, person.subject):
                self.problems.add(
                    key.line,
                    f"{person.subject} is named twice, first on line {other.line} as "
                    f"{other.handle}.",
                )
        self.site.people[key.value] = person

    def _group(self, key: Text, value: Value) -> None:
        block = value.named_block()
        block.known(("name", "issuer", "id", "members", "keystone"))
        members: dict[str, int] | None = None
        if "members" in block:
            listed = block.get("members")
            members = {}
            for text in self._people(listed) if listed else ():
                members[text.value] = text.line
        group = site.Group(
            key.value,
            block.text("issuer", LOCAL_ISSUER, most=200),
            block.text("id", key.value, most=200),
            block.text("name", key.value, most=200),
            members,
            self._external_ids(block),
            key.line,
        )
        for other in self.site.groups.values():
            if (other.issuer, other.external_id) == (group.issuer, group.external_id):
                self.problems.add(
                    key.line, f"{group.external_id} is a group twice, first on line {other.line}."
                )
        self.site.groups[key.value] = group

    def _external_ids(self, block: Block) -> tuple[site.ExternalId, ...]:
        """What each identity endpoint calls the holder; a text alone: what the only one does."""
        value = block.get("keystone")
        if value is None:
            return ()
        if value.is_text:
            text = value.text(most=255)
            return (site.ExternalId("", text.value, text.line),) if text else ()
        return tuple(
            site.ExternalId(identity.value, text.value, text.line)
            for identity, each in value.block().entries()
            if (text := each.text(most=255)) is not None
        )

    def _people(self, value: Value) -> list[Text]:
        """The people of a list, each once and each known."""
        found: dict[str, Text] = {}
        for item in value.items():
            text = item.text()
            if text is None:
                continue
            if text.value in found:
                first = found[text.value].line
                self.problems.add(text.line, f"{text} is named twice, first on line {first}.")
            elif text.value not in self.site.people:
                self.problems.add(
                    text.line, f"{text} is not among people{nearest(text.value, self.site.people)}"
                )
            else:
                found[text.value] = text
        return list(found.values())

    def _project(self, key: Text, value: Value) -> None:
        block = value.block()
        block.known(("name", "unit", "description", "kind", *ROLE_KEYS))
        slug = words.slug(key, 63, self.problems)
        unit = block.require("unit")
        kind = block.text("kind", ProjectKind.SHARED.value)
        if kind not in ProjectKind.values:
            self.problems.add(
                block.line_of("kind"),
                f"{kind} is no kind of project{nearest(kind, ProjectKind.values)}",
            )
        unit_text = unit.text() if unit else None
        if slug is None or unit_text is None:
            return
        self.site.projects[slug] = site.Project(
            slug,
            # Keystone takes at most 64 characters.
            block.text("name", slug, most=64),
            unit_text.value,
            block.text("description", most=500),
            kind,
            tuple(self._roles(block)),
            key.line,
        )

    def _roles(self, block: Block) -> list[site.Role]:
        found: dict[tuple[str, bool], site.Role] = {}
        for key, role in ROLE_KEYS.items():
            value = block.get(key)
            for item in value.items() if value else ():
                text = item.text()
                if text is None:
                    continue
                is_group = text.value.startswith(GROUP)
                holder = text.value.removeprefix(GROUP)
                known = self.site.groups if is_group else self.site.people
                if holder not in known:
                    kinds = "groups" if is_group else "people"
                    self.problems.add(
                        text.line, f"{holder} is not among {kinds}{nearest(holder, known)}"
                    )
                elif (holder, is_group) in found:
                    first = found[holder, is_group].line
                    self.problems.add(
                        text.line, f"{text} is named twice in {block.what}, first on line {first}."
                    )
                else:
                    found[holder, is_group] = site.Role(holder, is_group, role, text.line)
        return list(found.values())
