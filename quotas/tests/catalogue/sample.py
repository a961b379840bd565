"""A small site as a file, and ways to break it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quotas.catalogue.problems import Refused
from quotas.catalogue.reading import read_site

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


LATER = NOW + timedelta(days=1)


GIB = 2**30


DEMO = Path(__file__).parents[3] / "contrib" / "demo" / "site.yaml"


SITE = """\
resources:
  vcpu: vCPU
  space: {name: Volume space, unit: B, step: 1GiB}
identity:
  keystone: {driver: keystone, cloud: lab}
services:
  nova:
    driver: nova
    cloud: lab
    identity: keystone
    limits: {cores: vCPU}
  cinder:
    driver: cinder
    cloud: lab
    identity: keystone
    limits:
      gigabytes: {unit: B, step: 1GiB}
      gigabytes_<type>: {name: Space in <zone>, unit: B, step: 1GiB}
offers:
  compute:
    vcpu: {nova: cores}
  storage:
    space: {cinder: [gigabytes, gigabytes_<type>]}
regions:
  geneva:
    services: [nova, cinder]
    zones:
      compute: [ca]
      storage: {sa: {name: Storage A, type: ssd}}
capacities:
  2026-11-01:
    geneva.ca: {vcpu: 100 x 2.5}
presets:
  small: {region: geneva, adds: {ca: {vcpu: 8}}}
units:
  ep: {name: Physics, units: {atlas: ATLAS}}
  it: Computing
people:
  alice: {name: Alice, mail: alice@example.org}
  bob: Bob
groups:
  dq: {name: Quality, members: [bob]}
projects:
  reco:
    unit: atlas
    owners: alice
    readers: "group:dq"
"""


def changed(old: str, new: str, count: int = 1) -> str:
    """The site with one place written differently."""
    assert SITE.count(old) == count, old
    return SITE.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.rindex(part)].count("\n") + 1


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(Refused) as refused:
        read_site(text)
    return [(each.line, each.sentence) for each in refused.value.problems]
