"""A real OpenLDAP server for tests: on loopback and a free port, in a folder of its own."""

import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap
from ldap.modlist import addModlist

SUFFIX = "dc=site,dc=example"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ROOT, PASSWORD = f"cn=admin,{SUFFIX}", "only-for-tests"
SCHEMAS = Path("/etc/ldap/schema")
START_SECONDS = 10
CONF = """
{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
database mdb
suffix "{suffix}"
rootdn "{root}"
rootpw {password}
directory {folder}/db
maxsize 268435456
envflags nosync
index objectClass,uid,cn,memberOf eq
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
"""
Entry = Mapping[str, Sequence[str]]


@dataclass
class Slapd:
    """A server with some entries; `with` starts and ends it."""

    folder: Path
    entries: Mapping[str, Entry] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def __enter__(self) -> "Slapd":
        (self.folder / "db").mkdir(parents=True)
        conf = self.folder / "slapd.conf"
        schemas = "\n".join(
            f"include {SCHEMAS}/{each}.schema" for each in ("core", "cosine", "inetorgperson")
        )
        conf.write_text(
            CONF.format(
                schemas=schemas, folder=self.folder, suffix=SUFFIX, root=ROOT, password=PASSWORD
            )
        )
        ldif = self.folder / "entries.ldif"
        ldif.write_text(ldif_of({**_tree(), **self.entries}))
        add = [_tool("slapadd"), "-q", "-f", str(conf), "-l", str(ldif)]
        subprocess.run(add, check=True, capture_output=True)
        self.start()
        return self

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = self.port or free.getsockname()[1]
        command = [_tool("slapd"), "-f", str(self.folder / "slapd.conf"), "-h", self.url, "-d", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def is_up(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __exit__(self, *args: object) -> None:
        self.kill()

    def link(self) -> Any:
        """Bound as its administrator."""
        made = ldap.initialize(self.url)
        made.simple_bind_s(ROOT, PASSWORD)
        return made

    def add(self, dn: str, entry: Entry) -> None:
        self.link().add_s(dn, addModlist({k: [x.encode() for x in v] for k, v in entry.items()}))

    def change(self, dn: str, name: str, values: Iterable[str]) -> None:
        said = [(ldap.MOD_REPLACE, name, [each.encode() for each in values])]
        self.link().modify_s(dn, said)

    def rename(self, dn: str, new: str) -> None:
        self.link().rename_s(dn, new)

    def remove(self, dn: str) -> None:
        self.link().delete_s(dn)


def installed() -> bool:
    return _tool("slapd") != "" and SCHEMAS.is_dir()


def person_dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"cn={name},{GROUPS}"


def person(uid: str, *, manager: str = "", groups: Iterable[str] = ()) -> Entry:
    """memberOf is written by the overlay, but for what is loaded before the server starts."""
    entry = {
        "objectClass": ["inetOrgPerson"], "uid": [uid], "cn": [uid.capitalize()],
        "sn": [uid], "mail": [f"{uid}@site.example"],
    }  # fmt: skip
    if manager:
        entry["manager"] = [person_dn(manager)]
    if names := [group_dn(each) for each in groups]:
        entry["memberOf"] = names
    return entry


def group(name: str, members: Iterable[str], number: str = "") -> Entry:
    return {
        "objectClass": ["groupOfNames"], "cn": [name], "description": [name.title()],
        "ou": [number or name], "member": [person_dn(each) for each in members],
    }  # fmt: skip


def ldif_of(entries: Mapping[str, Entry]) -> str:
    """Of plain words: nothing is encoded."""
    lines = []
    for dn, entry in entries.items():
        lines.append(f"dn: {dn}")
        lines += [f"{key}: {value}" for key, values in entry.items() for value in values]
        lines.append("")
    return "\n".join(lines)


def _tree() -> dict[str, Entry]:
    top: Entry = {"objectClass": ["dcObject", "organization"], "dc": ["site"], "o": ["Site"]}
    parts = {
        f"ou={each},{SUFFIX}": {"objectClass": ["organizationalUnit"], "ou": [each]}
        for each in ("people", "groups")
    }
    return {SUFFIX: top, **parts}


def _tool(name: str) -> str:
    return shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec:/usr/bin") or ""
