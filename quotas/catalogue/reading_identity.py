"""Reading what an identity endpoint is to do: which roles it grants, how it finds people.

The result is the endpoint's options, which quotas/queries/identity_rules.py reads.
"""

from typing import Any

from projects.states import Role

from .document import Block, Value, nearest
from .problems import Problems

IDENTITY_OPTIONS = ("role", "roles", "people", "groups", "delete_closed")
# Keystone takes 255; what we note of a grant holds this.
ROLE_MAX = 64
# {what the file calls it: the field of ours}.
PEOPLE_FIELDS = {"subject": "subject", "mail": "mail", "name": "name"}
GROUP_FIELDS = {"id": "external_id", "name": "name"}
PEOPLE_WAYS = ("name", "id", "federated")
GROUP_WAYS = ("name", "id")


def read_identity_options(block: Block, problems: Problems) -> dict[str, Any]:
    """{option: its value}, of those that are said."""
    reader = _Reader(block, problems)
    reader.refuse_hidden()
    return {
        name: value
        for name, value in (
            ("role", block.text("role", most=ROLE_MAX)),
            ("roles", reader.roles()),
            ("people", reader.rule("people", PEOPLE_WAYS, PEOPLE_FIELDS)),
            ("groups", reader.rule("groups", GROUP_WAYS, GROUP_FIELDS)),
            ("delete_closed", reader.flag("delete_closed")),
        )
        if value
    }


class _Reader:
    def __init__(self, block: Block, problems: Problems) -> None:
        self.block = block
        self.problems = problems

    def refuse_hidden(self) -> None:
        """The driver's own options hold none of these: they would be read as if checked."""
        options = self.block.get("options")
        for key, _value in options.block().entries() if options is not None else ():
            if key.value in IDENTITY_OPTIONS:
                self.problems.add(
                    key.line, f"{key.value} stands beside options in {self.block.what}, not inside."
                )

    def roles(self) -> dict[str, list[str]]:
        """{role in a project: roles there}; those of which the file says nothing have none."""
        value = self.block.get("roles")
        if value is None:
            return {}
        if self.block.get("role") is not None:
            self.problems.add(
                self.block.line_of("roles"),
                f"{self.block.what} says both role and roles; write roles alone.",
            )
        found: dict[str, list[str]] = {}
        for role, names in value.block().entries():
            if role.value not in Role.values:
                self.problems.add(
                    role.line,
                    f"{role.value} is no role in a project{nearest(role.value, Role.values)}",
                )
                continue
            found[role.value] = self._names(names)
        return found

    def _names(self, value: Value) -> list[str]:
        texts = [text for item in value.items() if (text := item.text(most=ROLE_MAX)) is not None]
        return list(dict.fromkeys(text.value for text in texts))

    def rule(self, name: str, ways: tuple[str, ...], fields: dict[str, str]) -> dict[str, str]:
        """How people, or groups, are looked for there."""
        value = self.block.get(name)
        if value is None:
            return {}
        rule = value.block()
        rule.known(("by", "field", "domain_id", "provider", "protocol", "issuer"))
        by = rule.require("by")
        way = by.text() if by is not None else None
        if way is None:
            return {}
        if way.value not in ways:
            self.problems.add(
                way.line, f"{way.value} is no way to find {name}{nearest(way.value, ways)}"
            )
            return {}
        found = {"by": way.value} | self._field(rule, name, fields)
        for key, only in (("domain_id", "name"), ("provider", "federated"),
                          ("protocol", "federated"), ("issuer", "")):  # fmt: skip
            text = rule.text(key, most=255)
            if text and only not in ("", way.value):
                self.problems.add(
                    rule.line_of(key), f"{key} means something only where {name} are by {only}."
                )
            elif text:
                found[key] = text
        if way.value == "federated" and "provider" not in found:
            self.problems.add(
                rule.line,
                f"{name} by federated needs provider, the identity provider's id in Keystone.",
            )
        return found

    def _field(self, rule: Block, name: str, fields: dict[str, str]) -> dict[str, str]:
        said = rule.text("field")
        if not said:
            return {}
        if said not in fields:
            self.problems.add(
                rule.line_of("field"), f"{said} is no field of {name}{nearest(said, fields)}"
            )
            return {}
        return {"field": fields[said]}

    def flag(self, name: str) -> bool:
        said = self.block.text(name)
        if said and said not in ("true", "false"):
            self.problems.add(self.block.line_of(name), f"{name} must be true or false.")
        return said == "true"
