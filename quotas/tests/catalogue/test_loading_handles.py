"""What identity endpoints call people and groups, what role they get, and endpoints' manners."""

import pytest

from quotas.catalogue.loading import load
from quotas.catalogue.problems import Refused
from quotas.catalogue.reading import read_site
from quotas.models import Endpoint, HolderHandle, Target
from quotas.tests.catalogue.sample import LATER, NOW, SITE, changed, line_of, problems_of

ALICE = "alice: {name: Alice, mail: alice@example.org"
QUALITY = "dq: {name: Quality, members: [bob]"
KEYSTONE = "keystone: {driver: keystone, cloud: lab"


def known(text: str) -> set[tuple[str, str, str]]:
    """Load; who is known where by what: (endpoint, name, id)."""
    load(read_site(text), now=NOW)
    rows = HolderHandle.objects.select_related("identity", "user", "group")
    return {
        (each.identity.slug, (each.user or each.group).name, each.external_id)  # type: ignore[union-attr]  # one of the two
        for each in rows
    }


def refused(text: str) -> list[str]:
    with pytest.raises(Refused) as excinfo:
        load(read_site(text), now=NOW)
    return [str(each) for each in excinfo.value.problems]


def with_two(text: str) -> str:
    """A second identity endpoint."""
    return text.replace(
        "identity:\n  keystone:",
        "identity:\n  north: {driver: keystone, cloud: north}\n  keystone:",
    )


def generations() -> dict[str, int]:
    return dict(Target.objects.values_list("endpoint__slug", "generation"))


# --- ids --------------------------------------------------------------------------------


def test_load_keeps_what_keystone_calls_people_and_groups(db: None) -> None:
    text = changed(ALICE, f"{ALICE}, keystone: 6f1d").replace(QUALITY, f"{QUALITY}, keystone: 0c9d")
    assert known(text) == {("keystone", "Alice", "6f1d"), ("keystone", "Quality", "0c9d")}


def test_load_takes_an_id_for_each_identity_endpoint(db: None) -> None:
    text = changed(ALICE, f"{ALICE}, keystone: {{keystone: 6f1d, north: 77aa}}")
    assert known(with_two(text)) == {("keystone", "Alice", "6f1d"), ("north", "Alice", "77aa")}


def test_load_asks_which_endpoint_where_there_are_two(db: None) -> None:
    text = with_two(changed(ALICE, f"{ALICE}, keystone: 6f1d"))
    assert refused(text) == [
        f"line {line_of(text, 'keystone: 6f1d')}: say at which identity endpoint somebody is 6f1d, "
        "as in {<endpoint>: 6f1d}; there is keystone, north."
    ]


def test_load_refuses_an_identity_endpoint_that_is_none(db: None) -> None:
    text = changed(ALICE, f"{ALICE}, keystone: {{nova-geneva: 6f1d}}")
    assert refused(text) == [
        f"line {line_of(text, '6f1d')}: nova-geneva is no identity endpoint; there is keystone."
    ]


def test_load_refuses_one_id_for_two(db: None) -> None:
    """Else one would get into the projects of the other."""
    text = changed(ALICE, f"{ALICE}, keystone: 6f1d").replace(
        "bob: Bob", "bob: {name: Bob, keystone: 6f1d}"
    )
    assert refused(text) == [
        f"line {line_of(text, '6f1d')}: 6f1d is the id of two at one identity endpoint."
    ]


def test_load_of_another_id_is_a_change_and_the_former_is_kept_nowhere(db: None) -> None:
    known(changed(ALICE, f"{ALICE}, keystone: 6f1d"))
    changes = load(read_site(changed(ALICE, f"{ALICE}, keystone: 77aa")), now=LATER)
    assert [str(each) for each in changes.found] == ["~ id at keystone of alice: 6f1d → 77aa"]
    assert changes.notes == []
    assert HolderHandle.objects.get().external_id == "77aa"


def test_load_without_ids_leaves_them(db: None) -> None:
    known(changed(ALICE, f"{ALICE}, keystone: 6f1d"))
    assert load(read_site(SITE), now=LATER).found == []
    assert HolderHandle.objects.get().external_id == "6f1d"


# --- what workers must look at again ----------------------------------------------------


def test_a_new_id_touches_the_identity_target_of_the_holders_projects_alone(db: None) -> None:
    load(read_site(SITE), now=NOW)
    load(read_site(changed(ALICE, f"{ALICE}, keystone: 6f1d")), now=LATER)
    assert generations() == {"keystone": 2, "nova-geneva": 1, "cinder-geneva": 1}


def test_an_id_of_somebody_in_no_project_touches_nothing(db: None) -> None:
    load(read_site(SITE), now=NOW)
    load(read_site(changed("bob: Bob", "bob: {name: Bob, keystone: 6f1d}")), now=LATER)
    assert set(generations().values()) == {1}


def test_a_changed_membership_touches_the_identity_target(db: None) -> None:
    load(read_site(SITE), now=NOW)
    load(read_site(changed("owners: alice", "owners: [alice, bob]")), now=LATER)
    assert generations() == {"keystone": 2, "nova-geneva": 1, "cinder-geneva": 1}


def test_a_role_of_the_endpoint_touches_its_targets_and_is_an_option(db: None) -> None:
    load(read_site(SITE), now=NOW)
    load(read_site(changed(KEYSTONE, f"{KEYSTONE}, role: member")), now=LATER)
    assert generations() == {"keystone": 2, "nova-geneva": 1, "cinder-geneva": 1}
    assert Endpoint.objects.get(slug="keystone").options == {"role": "member"}


# --- manners ----------------------------------------------------------------------------


def manners(slug: str) -> tuple[int | None, int | None, str]:
    found = Endpoint.objects.get(slug=slug)
    return found.concurrency, found.calls_per_second, found.drift_policy


def test_manners_are_of_the_service_and_a_region_says_otherwise(db: None) -> None:
    text = changed(
        "    identity: keystone\n    limits: {cores: vCPU}",
        "    identity: keystone\n    concurrency: 3\n    calls_per_second: 20\n    drift: restore\n"
        "    limits: {cores: vCPU}",
    ).replace("    services: [nova, cinder]", "    services: {nova: {concurrency: 9}, cinder: {}}")
    load(read_site(text), now=NOW)
    assert manners("nova-geneva") == (9, 20, "restore")
    assert manners("cinder-geneva") == (None, None, "report")
    assert manners("keystone") == (None, None, "report")


def test_manners_touch_no_target(db: None) -> None:
    load(read_site(SITE), now=NOW)
    load(read_site(changed(KEYSTONE, f"{KEYSTONE}, concurrency: 2, drift: restore")), now=LATER)
    assert manners("keystone") == (2, None, "restore")
    assert set(generations().values()) == {1}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("concurrency: 0", "0 must be a whole number from 1 to 1000."),
        ("concurrency: many", "many must be a whole number from 1 to 1000."),
        ("calls_per_second: 2.5", "2.5 must be a whole number from 1 to 1000."),
        ("drift: mend", "mend is nothing that drift can lead to; there is report, restore."),
        ("rolle: member", "keystone of identity knows no rolle; did you mean role?"),
    ],
)
def test_read_refuses_manners_that_are_none(said: str, sentence: str) -> None:
    text = changed(KEYSTONE, f"{KEYSTONE}, {said}")
    assert problems_of(text) == [(line_of(text, said), sentence)]
