"""What one door can do the other can do: every address that changes something has its twin.

Walks both lists of addresses, and then goes through both doors with the samples of the table of
access: twins belong to one row of it, so each role gets the same. What they write is in
test_parity_rows, and that it is equal in every case in the files test_doors*.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.access import OK, ROLES, ROWS
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.access.sending import Sample
from quotas.tests.site import make_site
from quotas.tests.test_access import row_of

# Of each page that changes something: the calls of the API that do the same.
TWINS: dict[str, tuple[str, ...]] = {
    "project_new": ("POST api_projects",),
    "project_rename": ("POST api_project_rename",),
    "project_thresholds": ("PUT api_project_thresholds",),
    "request_new": ("POST api_requests",),
    "request_preview": ("POST api_preview",),
    # Its form saves, or saves and sends.
    "request_edit": ("PUT api_request", "POST api_request_submit"),
    "request_discard": ("DELETE api_request",),
    "request_submit": ("POST api_request_submit",),
    "request_amend": ("POST api_request_amend",),
    "request_answer": ("POST api_request_answer",),
    "request_withdraw": ("POST api_request_withdraw",),
    "request_comment": ("POST api_request_comment",),
    "request_watch": ("POST api_request_watch",),
    "request_unwatch": ("POST api_request_unwatch",),
    "request_nudge": ("POST api_request_nudge",),
    "request_approve": ("POST api_request_approve",),
    "request_endorse": ("POST api_request_endorse",),
    "request_return": ("POST api_request_return",),
    "request_decline": ("POST api_request_decline",),
    "queue_bulk": ("POST api_queue_decide",),
    "notice_read": ("POST api_notices_read",),
    "mail_choices": ("PUT api_mail_choices",),
    "letter_send_again": ("POST api_letter_send_again",),
    "unit_fund": ("POST api_envelopes_change",),
    "unit_fund_preview": ("POST api_envelopes_preview",),
    # What each would do stands on the page of the form itself.
    "unit_move": ("POST api_unit_move", "POST api_move_preview"),
    "unit_retire": ("POST api_unit_retire", "POST api_retirement_preview"),
    "unit_waiting": ("PUT api_unit_waiting",),
    "policy_new": ("POST api_policies",),
    "policy_revise": ("POST api_policy_revise",),
    "policy_switch_on": ("POST api_policy_switch_on",),
    "policy_switch_off": ("POST api_policy_switch_off",),
    "delegate": ("POST api_delegations",),
    "delegate_preview": ("POST api_delegation_preview",),
    "deputy_new": ("POST api_deputies",),
    # One form: revoke, and let what is below go on or end.
    "delegation_revoke": ("POST api_revoke", "POST api_reissue", "POST api_reissue_preview"),
    "member_set": ("POST api_members",),
    "member_remove": ("DELETE api_member",),
    "project_leave": ("POST api_project_leave",),
    "project_offer": ("POST api_project_offer",),
    "project_extend": ("POST api_project_extend",),
    "project_move": ("POST api_project_move",),
    "project_suspend": ("POST api_project_suspend",),
    "project_resume": ("POST api_project_resume",),
    "project_close": ("POST api_project_close",),
    "project_keep": ("POST api_project_keep",),
    "project_hold": ("POST api_project_hold",),
    "project_release": ("POST api_project_release",),
    "person_leave": ("POST api_person_leave",),
    "person_return": ("POST api_person_return",),
    "orphan_offer": ("POST api_orphan_offer",),
    "unit_steward": ("PUT api_unit_steward",),
    "loan_extend": ("POST api_loan_extend",),
    "loan_keep": ("POST api_loan_keep",),
    "loan_ask": ("POST api_loan_ask",),
    "quota_return": ("POST api_returns",),
    "return_undo": ("POST api_return_undo",),
    "return_ask": ("POST api_return_ask",),
    "change_accept": ("POST api_change_accept",),
    "change_decline": ("POST api_change_decline",),
    "change_withdraw": ("POST api_change_withdraw",),
    "announcement_new": ("POST api_announcements",),
    "announcement_edit": ("PUT api_announcement",),
    "announcement_preview": ("POST api_announcement_preview",),
    "announcement_schedule": ("POST api_announcement_schedule",),
    "announcement_withdraw": ("POST api_announcement_withdraw",),
    "endpoint_retry": ("POST api_endpoint_retry",),
    "endpoint_pause": ("POST api_endpoint_pause",),
    "endpoint_restrict": ("POST api_endpoint_restrict",),
    "endpoint_resume": ("POST api_endpoint_resume",),
    "endpoint_refresh": ("POST api_endpoint_refresh",),
    "target_retry": ("POST api_target_retry",),
    "target_adopt": ("POST api_target_adopt",),
    "target_recreate": ("POST api_target_recreate",),
    "target_refresh": ("POST api_target_refresh",),
    # On the page one target is picked from those of a cause.
    "problem_retry": ("POST api_problem_retry", "POST api_target_retry"),
    "problem_skip": ("POST api_problem_skip", "POST api_target_skip"),
    "problem_remedy": ("POST api_problem_remedy", "POST api_target_remedy"),
    "limit_leave_out": ("POST api_limit_leave_out",),
    "limit_take_in": ("POST api_limit_take_in",),
    "drift_restore": ("POST api_drift_restore",),
    "drift_ignore": ("POST api_drift_ignore",),
    "drift_chosen": ("POST api_drifts_restore", "POST api_drifts_ignore"),
    "drift_adopt": ("POST api_drift_adopt",),
    "token_list": ("POST api_tokens",),
    "token_revoke": ("POST api_token_revoke",),
    "token_rotate": ("POST api_token_rotate",),
    "project_account_new": ("POST api_service_accounts",),
    "unit_account_new": ("POST api_service_accounts",),
    "service_account_token": ("POST api_tokens",),
    "service_account_take_over": ("POST api_service_account_take_over",),
    "service_account_close": ("POST api_service_account_close",),
    "webhook_new": ("POST api_webhooks",),
    "webhook_change": ("PUT api_webhook",),
    "webhook_delete": ("DELETE api_webhook",),
    "webhook_rotate": ("POST api_webhook_rotate",),
    "webhook_take_over": ("POST api_webhook_take_over",),
    "webhook_ping": ("POST api_webhook_ping",),
    "webhook_replay": ("POST api_webhook_replay",),
    "webhook_switch_on": ("POST api_webhook_switch_on",),
    "webhook_switch_off": ("POST api_webhook_switch_off",),
}  # fmt: skip

# What has one door, and why.
ONE_DOOR = {
    "sign_out": "a session is the pages' alone",
    "set_language": "the language of pages, also of who is not signed in",
    "me": "how pages look to oneself: language and time zone",
    "mail_stop": "the link in each mail, for whoever got it, without a sign-in",
    "policy_preview": "the words of a rule while its form is filled in; a draft grants nothing",
    "project_preview": "the words beside a form while it is filled in; over REST: dry_run",
    "POST api_current_revoke": "a token ends itself; people do it by the token's page",
}


@pytest.fixture(scope="module")
def case(module_database: object) -> Case:
    """One for all: what a call changes is undone."""
    return make_case(make_site(timezone.now() - timedelta(days=1)))


def calls(name: str) -> Iterator[tuple[str, Sample]]:
    """(what TWINS calls it, sample) of everything at an address that changes something."""
    for sample in SAMPLES[name]:
        if sample.method != "GET":
            is_call = name.startswith("api_")
            yield (f"{sample.method} {name}" if is_call else name), sample


def samples_of(told: str) -> list[Sample]:
    name = told.rpartition(" ")[2]
    return [sample for each, sample in calls(name) if each == told]


def test_every_verb_has_a_twin_at_the_other_door_or_a_reason() -> None:
    ours = {told for name in SAMPLES for told, _sample in calls(name)}
    known = {*TWINS, *(each for twins in TWINS.values() for each in twins)}
    assert known & set(ONE_DOOR) == set()
    assert ours - known - set(ONE_DOOR) == set(), "these have one door only"
    assert (known | set(ONE_DOOR)) - ours == set(), "these are no addresses any more"


def test_what_has_no_sample_of_a_change_takes_none(case: Case) -> None:
    """So that a verb cannot be forgotten above: its address would have to answer it."""
    taken = []
    for name, samples in SAMPLES.items():
        sample = samples[0]
        row = ROWS[sample.row or row_of(name)]
        role = next((each for each in ROLES if row[each] == OK and each != "anonymous"), None)
        methods = ("POST", "PUT", "PATCH", "DELETE") if name.startswith("api_") else ("POST",)
        for method in set(methods) - {each.method for each in samples}:
            with transaction.atomic():
                client = Client()
                if role is not None:
                    client.force_login(case.people[role])
                url = reverse(name, kwargs=sample.kwargs(case))
                answer = client.generic(method, url, b"", "application/json")
                transaction.set_rollback(True)
            # Nobody has signed in yet where one signs in: no verb of a person.
            if answer.status_code not in (405, 401) and name != "sign_in":
                taken.append((method, name, answer.status_code))
    assert taken == []


def rows(told: str) -> set[str]:
    name = told.rpartition(" ")[2]
    return {sample.row or row_of(name) for sample in samples_of(told)}


@pytest.mark.parametrize("page", TWINS)
def test_twins_answer_each_role_alike(page: str) -> None:
    for call in TWINS[page]:
        theirs = [ROWS[each] for each in rows(call)]
        assert all(ROWS[each] in theirs for each in rows(page)), call
