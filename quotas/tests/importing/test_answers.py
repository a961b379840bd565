"""The answers' file: mistakes have their line and the nearest name, and what is written is read."""

from pathlib import Path

import pytest

from quotas.catalogue.problems import Refused
from quotas.importing.answers import Answers
from quotas.importing.contradictions import Contradiction, Kind
from quotas.importing.reading import read_answers
from quotas.importing.shape import Shape, load_shape
from quotas.importing.writing import answers_text
from quotas.models import Endpoint
from quotas.tests.importing.town import load_site

pytestmark = pytest.mark.django_db

WHOLE = """
rules:
  - {name: "atlas-*", tag: "a,b: [c]", unit: atlas}
  - {parent: 0a1b, leave_out: true}
projects:
  0a1b: {unit: it, name: "It \\"now\\"", like: keystone, owners: [alice, bob]}
  2c: {leave_out: true, quota: {geneva.compute-a.ram: 16GiB, geneva.compute-a.vcpu: "0"}}
roles: {admin: owner, service: "-"}
people: {unknown: make, issuer: "https://id.example.org", ids: {9f: alice, 9e: "-"}}
groups: {8d: atlas-dq}
unlimited: {"nova-geneva.cores": 40, "nova-*.ram": keep, "nova-*.*": keep}
split: {"nova-*.cores": {compute-a: 3, compute-b: 1}, "nova-*.ram": compute-b}
totals: {"cinder-*.gigabytes": follow}
unfed: {"nova-geneva.instances": zero, "*.instances": keep}
differing: larger
off_step: down
disabled: leave_out
room: {atlas: fund, "*": issue}
accept: [no owner, "use above limit"]
"""


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    load_site(tmp_path)
    return load_shape(Endpoint.objects.exclude(identity=None).order_by("slug"))


def mistakes(text: str, shape: Shape) -> list[str]:
    with pytest.raises(Refused) as refused:
        read_answers(text, shape)
    return [str(each) for each in refused.value.problems]


def test_what_is_written_is_read_as_the_same_answers(shape: Shape) -> None:
    answers = read_answers(WHOLE, shape)
    hostile = "\x1b[31m\u2028\n- evil: # \\"
    open_ones = [Contradiction(kind, hostile, hostile, hostile, key=hostile) for kind in Kind]
    text = answers_text(answers, open_ones)
    assert read_answers(text, shape) == answers
    assert text.isprintable() or {char for char in text if not char.isprintable()} == {"\n"}
    names = {each.name: pk for pk, each in shape.managed.items()}
    assert answers.numbers[names["nova-geneva.cores"]] == 40
    assert answers.numbers[names["nova-prevessin.cores"]] is None
    assert answers.zeroes[names["nova-geneva.instances"]] is True
    assert answers.zeroes[names["nova-prevessin.instances"]] is False


def test_without_answers_a_file_to_begin_with_is_read(shape: Shape) -> None:
    assert read_answers(answers_text(Answers(), []), shape).rules == []


def test_each_mistake_has_its_line_and_the_nearest_name(shape: Shape) -> None:
    assert (
        mistakes(
            """\
rules:
  - {name: "*", unit: atlsa}
  - {unit: atlas}
  - {name: x, unit: atlas, leave_out: true}
projects:
  0a: {quota: {geneva.compute-a.vcpus: 4}, like: keystoen}
  0b: {quota: {geneva.compute-a.ram: 10MiB, geneva.compute-a.vcpu: -4}}
roles: {admin: ownre}
unlimited: {"nova-geneva.core": 4, "nova-geneva.ram": 10KiB}
split: {"nova-geneva.cores": storage-a, "nova-geneva.ram": {compute-a: 0}}
totals: {"cinder-*.gigabytes": folow}
differing: bigger
room: {atals: issue, it: give}
accept: [no ownre]
unlimitd: {}
""",
            shape,
        )
        == MISTAKES
    )


MISTAKES = [
    "line 2: atlsa is no living unit; did you mean atlas?",
    "line 3: a rule needs name, tag or parent.",
    "line 6: geneva.compute-a.vcpus is no offering; did you mean geneva.compute-a.vcpu?",
    "line 6: keystoen is no identity endpoint; did you mean keystone?",
    "line 7: -4 must be an amount without a sign.",
    "line 7: “10MiB” is not a multiple of 1\u202fGiB. The nearest are 0 and 1G.",
    "line 8: ownre is none of them; did you mean owner?",
    "line 9: no limit is called nova-geneva.core; did you mean nova-geneva.cores?",
    "line 9: “10KiB” is not a multiple of 1\u202fMiB. The nearest are 0 and 1M.",
    "line 10: somebody must have a share.",
    "line 10: storage-a does not count against nova-geneva.cores; there is compute-a, compute-b.",
    "line 11: folow is none of them; did you mean follow?",
    "line 12: bigger is none of them; there is keep, larger, smaller.",
    "line 13: atals is no living unit; did you mean atlas?",
    "line 13: give is none of them; there is fund, issue, keep.",
    "line 14: no ownre is none of them; did you mean no owner?",
    "line 15: the file knows no unlimitd; did you mean unlimited?",
]
