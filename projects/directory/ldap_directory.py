"""A directory that speaks LDAP: OpenLDAP, 389 Directory Server, Active Directory.

Searches are paged (RFC 2696), each page within one time limit. The answer is whole only where
the server says success after the last page and referred to no other server.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.dn import str2dn
from ldap.filter import escape_filter_chars

from .base import DirectoryFailed, GroupEntry, PersonEntry

RANGE = re.compile(r"^(?P<name>.+);range=(?P<first>\d+)-(?P<last>\d+|\*)$", re.IGNORECASE)
MOST_WORDS = 300
Attributes = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True)
class LdapConfig:
    """Where the directory is, how it is read, and what its attributes are called.

    `members_by`: "memberOf", an attribute of people that names their groups, is searched by; any
    other is an attribute of groups that holds the DNs of its members.
    """

    url: str
    people_base: str
    groups_base: str = ""
    bind_dn: str = ""
    password: str = field(default="", repr=False)
    start_tls: bool = False
    ca_file: str = ""
    people_filter: str = "(objectClass=inetOrgPerson)"
    groups_filter: str = "(objectClass=groupOfNames)"
    subject: str = "uid"
    name: str = "cn"
    mail: str = "mail"
    supervisor: str = "manager"
    group_id: str = "cn"
    group_name: str = "cn"
    members_by: str = "memberOf"
    page_size: int = 500
    timeout: float = 30
    # Of entries that a server leaves to others it is known that they are none of ours.
    ignore_referrals: bool = False


class LdapDirectory:
    """One connection; see `base.Directory`."""

    def __init__(self, config: LdapConfig) -> None:
        self.config = config
        self.link: Any = None

    def __enter__(self) -> "LdapDirectory":
        config = self.config
        try:
            self.link = ldap.initialize(config.url, bytes_mode=False)
            self.link.protocol_version = ldap.VERSION3
            # Another server that this one names would be told our password.
            self.link.set_option(ldap.OPT_REFERRALS, 0)
            self.link.set_option(ldap.OPT_NETWORK_TIMEOUT, config.timeout)
            self.link.set_option(ldap.OPT_TIMEOUT, config.timeout)
            self._secure()
            self.link.simple_bind_s(config.bind_dn, config.password)
        except ldap.LDAPError as error:
            raise DirectoryFailed(words_of(error)) from error
        return self

    def __exit__(self, *args: object) -> None:
        try:
            self.link.unbind_s()
        except ldap.LDAPError:
            return  # it is gone already

    def people(self) -> Iterator[Sequence[PersonEntry]]:
        config = self.config
        wanted = [config.subject, config.name, config.mail, config.supervisor]
        for page in self._pages(config.people_base, config.people_filter, wanted):
            found = [self._person(dn, attributes) for dn, attributes in page]
            yield [each for each in found if each.subject]

    def groups(self) -> Iterator[Sequence[GroupEntry]]:
        config = self.config
        wanted = [config.group_id, config.group_name]
        for page in self._pages(config.groups_base, config.groups_filter, wanted):
            found = [
                GroupEntry(
                    key_of(dn),
                    _text(attributes, config.group_id),
                    _text(attributes, config.group_name),
                )
                for dn, attributes in page
            ]
            yield [each for each in found if each.external_id]

    def members(self, group: GroupEntry) -> Iterator[Sequence[str]]:
        if self.config.members_by.lower() == "memberof":
            yield from self._pointing_at(group)
        else:
            yield from self._listed_in(group)

    def _pointing_at(self, group: GroupEntry) -> Iterator[Sequence[str]]:
        config = self.config
        is_in = f"({config.members_by}={escape_filter_chars(group.key)})"
        text = f"(&{config.people_filter}{is_in})"
        for page in self._pages(config.people_base, text, [config.subject]):
            yield [key_of(dn) for dn, _ in page]

    def _listed_in(self, group: GroupEntry) -> Iterator[Sequence[str]]:
        """The values of an attribute; Active Directory gives those of large groups in ranges."""
        name, wanted = self.config.members_by, self.config.members_by
        while wanted:
            entries = self._search(group.key, "(objectClass=*)", [wanted], ldap.SCOPE_BASE)
            if not entries:
                raise DirectoryFailed(f"{group.key} is not there any more")
            wanted = ""
            for key, values in entries[0][1].items():
                if found := RANGE.match(key):
                    if found["last"] != "*":
                        wanted = f"{name};range={int(found['last']) + 1}-*"
                elif key.lower() != name.lower():
                    continue
                yield [key_of(value.decode("utf-8", "replace")) for value in values]

    def _person(self, dn: str, attributes: Attributes) -> PersonEntry:
        config = self.config
        supervisor = _text(attributes, config.supervisor)
        return PersonEntry(
            key=key_of(dn),
            subject=_text(attributes, config.subject),
            name=_text(attributes, config.name),
            mail=_text(attributes, config.mail),
            supervisor=key_of(supervisor) if supervisor else "",
        )

    def _pages(
        self, base: str, text: str, names: Sequence[str]
    ) -> Iterator[Sequence[tuple[str, Attributes]]]:
        control = SimplePagedResultsControl(True, size=self.config.page_size, cookie="")
        while True:
            entries, answered = self._page(base, text, _known(names), [control])
            yield entries
            cookies = [
                each.cookie
                for each in answered
                if each.controlType == SimplePagedResultsControl.controlType
            ]
            if not cookies:
                raise DirectoryFailed("the server does not page its answers")
            if not cookies[0]:
                return
            control.cookie = cookies[0]

    def _search(
        self, base: str, text: str, names: Sequence[str], scope: int
    ) -> Sequence[tuple[str, Attributes]]:
        return self._page(base, text, _known(names), [], scope)[0]

    def _page(
        self, base: str, text: str, names: Sequence[str], controls: list[Any],
        scope: int = ldap.SCOPE_SUBTREE,
    ) -> tuple[Sequence[tuple[str, Attributes]], Sequence[Any]]:  # fmt: skip
        try:
            number = self.link.search_ext(base, scope, text, names, serverctrls=controls)
            kind, data, _, answered = self.link.result3(number, timeout=self.config.timeout)
        except ldap.LDAPError as error:
            raise DirectoryFailed(words_of(error)) from error
        if kind != ldap.RES_SEARCH_RESULT:
            raise DirectoryFailed("the answer ended before its end")
        entries = [(dn, attributes) for dn, attributes in data if dn is not None]
        if len(entries) < len(data) and not self.config.ignore_referrals:
            raise DirectoryFailed("a part of it lies at another server (referral)")
        return entries, answered

    def _secure(self) -> None:
        config = self.config
        if config.ca_file:
            if not Path(config.ca_file).is_file():
                raise DirectoryFailed(f"there is no file {config.ca_file}")
            self.link.set_option(ldap.OPT_X_TLS_CACERTFILE, config.ca_file)
        if config.start_tls or config.url.startswith("ldaps:"):
            self.link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            self.link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if config.start_tls:
            self.link.start_tls_s()


def key_of(dn: str) -> str:
    """A DN as it compares with others: servers write spaces and letters as they like."""
    try:
        parts = str2dn(dn)
    except ldap.DECODING_ERROR:
        return dn
    return ",".join(
        "+".join(sorted(f"{name.lower()}={_escaped(value)}" for name, value, _ in part))
        for part in parts
    ).lower()


def words_of(error: ldap.LDAPError) -> str:
    """Return "Can't contact LDAP server": what the library says, in a line."""
    said = error.args[0] if error.args else {}
    facts = said if isinstance(said, dict) else {"desc": str(said)}
    words = [str(facts.get(each, "")) for each in ("desc", "info")]
    return ": ".join(each for each in words if each)[:MOST_WORDS] or type(error).__name__


def _escaped(value: str) -> str:
    return "".join(f"\\{each}" if each in ',+"\\<>;=' else each for each in value)


def _known(names: Sequence[str]) -> list[str]:
    return [each for each in dict.fromkeys(names) if each]


def _text(attributes: Attributes, name: str) -> str:
    """The first value of an attribute, whatever its letters' case."""
    if not name:
        return ""
    for key, values in attributes.items():
        if key.lower() == name.lower() and values:
            if name.lower() == "objectguid":
                return str(uuid.UUID(bytes_le=values[0]))
            return " ".join(values[0].decode("utf-8", "replace").split())
    return ""
