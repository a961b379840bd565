"""A token of each scope tries every verb of the API: which scope lets it in, as a literal table.

A new operation fails here until it has its place in the table. The scope is asked before
anything else, so each is called about something that does not exist, by somebody who may
nothing: whatever is no refusal of the scope means that the scope let the call in.
"""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, converters, reverse

from projects.states import Power, TokenScope
from quotas.api.doors import Door
from quotas.tests.site import Site
from quotas.tests.test_access import urls
from quotas.tests.test_tokens import calling, token_for

# {what an operation takes: "METHOD name of its address", without "api_"}. "a person": one who
# signed in, no token.
TABLE: dict[str, str] = {
    "read": """
        GET me, GET regions, GET region, GET zones, GET zone, GET resources, GET resource,
        GET offerings, GET offering, GET presets, GET preset, GET units, GET unit,
        GET unit_waiting, GET unit_steward, GET envelopes, GET envelope, GET unit_transfers,
        GET envelope_acts, GET delegations, GET delegation, GET hanging, GET ledger, GET account,
        GET decider_coverage, GET projects, GET project, GET members, GET accounts, GET transfers,
        GET usage, GET explain, GET requests, GET request, GET comments, GET request_waiting,
        GET notices, GET queue, GET decisions, GET decision, GET decision_why, GET policies,
        GET policy, GET policy_replay, GET endpoints, GET endpoint, GET endpoint_words,
        GET endpoint_plan, GET targets, GET target, GET problems, GET problem_targets, GET jobs,
        GET job, GET job_items, GET drifts, GET coverage, GET unanswered, GET drift, GET tokens,
        GET current_token, GET token, GET service_accounts, GET service_account, GET webhooks,
        GET mail_choices, GET mail, GET letters, GET groups, GET project_life, GET project_acts,
        GET changes, GET change, GET people, GET person, GET person_leaving, GET orphans,
        GET directory, GET directory_runs, GET webhook_types, GET webhook, GET webhook_calls,
        GET project_usage_days, GET unit_usage, GET zone_usage, GET unused, GET unused_sums,
        GET project_unused, GET returns, GET events, GET project_timeline,
        GET request_timeline, GET project_missing,
        GET announcements, GET announcement, GET project_thresholds
    """,
    "ask": """
        POST preview, POST requests, POST request_submit, POST request_amend, POST request_answer,
        POST request_withdraw, POST request_comment, POST request_nudge, PUT request,
        DELETE request, POST projects, POST project_rename, POST members, DELETE member,
        POST project_leave, POST project_extend, POST project_move, POST project_offer,
        POST project_close, POST project_keep, POST change_withdraw, POST loan_ask,
        PUT project_thresholds, POST returns, POST return_undo
    """,
    "decide": """
        POST request_approve, POST request_decline, POST request_return, POST request_endorse,
        POST queue_decide, POST drift_adopt, POST change_accept, POST change_decline,
        POST loan_extend, POST loan_keep, POST return_ask
    """,
    "delegate": """
        PUT unit_waiting, PUT unit_steward, POST delegations, POST delegation_preview,
        POST deputies, POST revoke, POST reissue, POST reissue_preview, POST policies,
        POST policy_revise, POST policy_switch_on, POST policy_switch_off
    """,
    "fund": """
        POST envelopes_change, POST envelopes_preview, POST unit_move, POST move_preview,
        POST unit_retire, POST retirement_preview
    """,
    "repair": """
        POST letter_send_again, POST endpoint_retry, POST endpoint_pause, POST endpoint_restrict,
        POST endpoint_resume, POST endpoint_refresh, POST target_retry, POST target_adopt,
        POST target_recreate, POST target_refresh, POST target_skip, POST target_remedy,
        POST limit_leave_out, POST limit_take_in, POST problem_retry, POST problem_skip,
        POST problem_remedy, POST drifts_restore, POST drifts_ignore, POST drift_restore,
        POST drift_ignore, POST project_suspend, POST project_resume, POST project_hold,
        POST project_release, POST person_leave, POST person_return, POST orphan_offer,
        POST announcements, PUT announcement, POST announcement_preview,
        POST announcement_schedule, POST announcement_withdraw
    """,
    "listen": """
        POST request_watch, POST request_unwatch, PUT mail_choices, POST notices_read,
        POST webhooks, POST webhook_rotate, POST webhook_ping, POST webhook_replay,
        POST webhook_switch_on, POST webhook_switch_off, PUT webhook, DELETE webhook
    """,
    "any token": """
        POST current_revoke
    """,
    "a person": """
        POST tokens, POST token_revoke, POST token_rotate, POST service_accounts,
        POST service_account_take_over, POST service_account_close, POST webhook_take_over
    """,
}

NOTHING = {
    converters.IntConverter: 999_999_999,
    converters.SlugConverter: "nothing",
    converters.StringConverter: "nothing",
    converters.UUIDConverter: UUID(int=0),
}


def listed() -> dict[tuple[str, str], str]:
    """{(method, name of the address): what it takes}, as the table says."""
    found: dict[tuple[str, str], str] = {}
    for scope, text in TABLE.items():
        for each in text.split(","):
            method, name = each.split()
            assert (method, name) not in found, f"twice in the table: {each}"
            found[method, name] = scope
    return found


def operations() -> Iterator[tuple[str, str, URLPattern]]:
    """(method, name of the address, pattern) of all that the API answers."""
    for _where, pattern in urls():
        name = pattern.name or ""
        view = getattr(pattern.callback, "cls", None)
        # The document itself is no operation: it needs no sign-in.
        if name.startswith("api_") and isinstance(view, type) and issubclass(view, Door):
            for method in view.http_method_names:
                if method not in ("options", "head"):
                    yield method.upper(), name.removeprefix("api_"), pattern


def lets_in(client: Client, method: str, name: str, pattern: URLPattern) -> bool:
    """Whether a call comes past the scope. What it did is undone."""
    kwargs = {
        key: NOTHING[type(converter)] for key, converter in pattern.pattern.converters.items()
    }
    with transaction.atomic():
        answer = client.generic(
            method, reverse(f"api_{name}", kwargs=kwargs), json.dumps({}), "application/json"
        )
        transaction.set_rollback(True)
    assert answer.status_code not in (401, 500), (method, name, answer.content)
    if answer.status_code != 403:
        return True
    return "scope" not in answer.json()["facts"]


def test_every_operation_has_its_place_in_the_table() -> None:
    assert {(method, name) for method, name, _pattern in operations()} == set(listed())


@pytest.mark.parametrize("scope", TokenScope.values)
def test_a_token_of_each_scope_tries_every_verb(site_today: Site, scope: str) -> None:
    _token, text = token_for(site_today.mallory, TokenScope(scope))
    client = calling(text)
    tried = {
        (method, name): lets_in(client, method, name, pattern)
        for method, name, pattern in operations()
    }
    assert tried == {key: takes in (scope, "any token") for key, takes in listed().items()}


def test_a_token_without_decide_uses_no_authority_of_its_person(site_today: Site) -> None:
    for name in ("otto", "erin"):
        held = site_today.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    answers = []
    for scopes in ([TokenScope.ASK], [TokenScope.ASK, TokenScope.DECIDE]):
        _token, text = token_for(site_today.erin, *scopes)
        client = calling(text)
        for verb in ("close", "keep"):
            url = reverse(f"api_project_{verb}", kwargs={"slug": "atlas-reco"})
            sent = {"ends_on": None} if verb == "keep" else {}
            answers.append(client.post(url, sent, "application/json").status_code)
    assert answers == [403, 403, 200, 200]
