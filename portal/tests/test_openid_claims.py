"""What is read out of a provider's claims, whatever shape they have."""

from typing import Any

import pytest

from portal.lib.openid.claims import GroupClaim, PersonClaims, person_in
from portal.lib.openid.failures import Failed, Failure

ISSUER = "https://sso.example"


def read(groups_claim: str = "groups", **claims: Any) -> PersonClaims:
    return person_in({"sub": "alice"} | claims, issuer=ISSUER, groups_claim=groups_claim)


def test_a_person_is_issuer_and_subject_with_a_name_and_a_mail() -> None:
    found = read(name="Alice", email="alice@here.example", groups=["dq"])
    groups = (GroupClaim("dq"),)
    assert found == PersonClaims(ISSUER, "alice", "Alice", "alice@here.example", groups)


@pytest.mark.parametrize("subject", [None, "", 7, " alice", "a\nb", "a\x00", "a\u202eb", "a" * 201])
def test_a_subject_that_nobody_can_be_known_by_is_nobody(subject: Any) -> None:
    with pytest.raises(Failed) as failed:
        read(sub=subject)
    assert failed.value.failure == Failure.SUBJECT


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"name": "  Alice\n Smith "}, "Alice Smith"),
        ({"name": "Al\u202eice"}, "Alice"),
        ({"name": "می\u200cخواهم"}, "می\u200cخواهم"),
        ({"name": "", "preferred_username": "asmith"}, "asmith"),
        ({"name": ["Alice"]}, ""),
        ({"name": "A" * 300}, "A" * 199 + "…"),
        ({}, ""),
    ],
)
def test_a_name_is_one_line_that_fits(said: dict[str, Any], name: str) -> None:
    assert read(**said).name == name


@pytest.mark.parametrize("mail", [None, 7, "alice", "a b@here.example", f"{'a' * 254}@x.example"])
def test_what_is_no_address_is_no_mail(mail: Any) -> None:
    assert read(email=mail).mail == ""


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        (["dq", "it"], [GroupClaim("dq"), GroupClaim("it")]),
        (["dq", "dq"], [GroupClaim("dq")]),
        ([{"id": "dq", "name": "Quality"}], [GroupClaim("dq", "Quality")]),
        ([{"value": "dq", "display": "Quality"}, "it"],
         [GroupClaim("dq", "Quality"), GroupClaim("it")]),
        ([{"id": 7, "name": None}, 8], [GroupClaim("7"), GroupClaim("8")]),
        ([], []),
    ],
)  # fmt: skip
def test_groups_are_ids_or_objects_with_id_and_name(said: Any, groups: list[GroupClaim]) -> None:
    assert read(groups=said).groups == tuple(groups)


@pytest.mark.parametrize(
    "said",
    [
        None, "dq", {"dq": True}, ["dq", None], ["dq", ""], ["dq", True], [{"name": "Quality"}],
        ["a" * 201], ["a\x00"], [["dq"]],
    ],
)  # fmt: skip
def test_groups_that_cannot_be_read_whole_are_not_said(said: Any) -> None:
    assert read(groups=said).groups is None


def test_groups_may_stand_in_another_claim_or_in_none() -> None:
    assert read("https://sso.example/groups", **{"https://sso.example/groups": ["dq"]}).groups == (
        GroupClaim("dq"),
    )
    assert read("", groups=["dq"]).groups is None
