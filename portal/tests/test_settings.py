"""Which settings start, and which refuse with a sentence each; read in processes of their own."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.production import Production, refusals

SAFE = {
    "DATABASE_URL": "postgresql://remit:pw@db.example/remit",
    "BROKER_URL": "redis://:pw@broker.example:6379/0",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ALLOWED_HOSTS": "remit.example",
    "CSRF_TRUSTED_ORIGINS": "https://remit.example",
}
ROOT = Path(__file__).resolve().parents[2]


MAILING = {
    "EMAIL_HOST": "smtp.example", "SITE_URL": "https://remit.example/",
    "DEFAULT_FROM_EMAIL": "Remit <remit@remit.example>",
}  # fmt: skip


def start(tmp_path: Path, ask: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Import the settings with this environment alone; `ask` is evaluated and printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    code = f"import portal.settings as s; print({ask or 0})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DATA_DIR": str(tmp_path / "data"), "PYTHONDONTWRITEBYTECODE": "1"} | kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_safe_production_starts(tmp_path: Path) -> None:
    asked = (
        "(s.IS_PRODUCTION, s.DEBUG, s.SESSION_COOKIE_SECURE, s.SECURE_SSL_REDIRECT,"
        " s.LOCAL_ACCOUNTS)"
    )
    started = start(tmp_path, asked, **SAFE)
    assert started.stderr == ""
    assert started.stdout == "(True, False, True, True, False)\n"
    assert not (tmp_path / "data").exists()


SAFE_FACTS = Production(
    debug=False,
    secret_key=SAFE["SECRET_KEY"],
    allowed_hosts=["remit.example"],
    csrf_trusted_origins=["https://remit.example"],
    has_database_url=True,
    has_broker_url=True,
    secure_cookies=True,
    sandbox=False,
    sandbox_told_so=False,
    local_accounts=False,
    local_accounts_told_so=False,
    plain_directory=False,
)


def test_safe_facts_are_not_refused() -> None:
    assert list(refusals(SAFE_FACTS)) == []


@pytest.mark.parametrize(
    ("fact", "value", "begins"),
    [
        ("debug", True, "DEBUG is on:"),
        ("secret_key", "", "SECRET_KEY is not set:"),
        ("secret_key", "short", "SECRET_KEY is weak:"),
        ("secret_key", "ab" * 40, "SECRET_KEY is weak:"),
        ("secret_key", "django-insecure-" + SAFE["SECRET_KEY"], "SECRET_KEY is weak:"),
        ("allowed_hosts", [], "ALLOWED_HOSTS is empty:"),
        ("allowed_hosts", ["a.example", "*"], "ALLOWED_HOSTS holds *:"),
        ("allowed_hosts", ["*.example"], "ALLOWED_HOSTS holds *:"),
        ("csrf_trusted_origins", ["http://a.example"], "CSRF_TRUSTED_ORIGINS holds 'http:"),
        ("csrf_trusted_origins", ["https://*.example"], "CSRF_TRUSTED_ORIGINS holds 'https:"),
        ("has_database_url", False, "DATABASE_URL is not set:"),
        ("has_broker_url", False, "BROKER_URL is not set:"),
        ("secure_cookies", False, "SECURE_COOKIES is off:"),
        ("sandbox", True, "SANDBOX is on beside an external DATABASE_URL:"),
        ("local_accounts", True, "LOCAL_ACCOUNTS is on:"),
        ("plain_directory", True, "DIRECTORY_URL is ldap:// without DIRECTORY_START_TLS:"),
    ],
)
def test_each_unsafe_fact_is_one_sentence(fact: str, value: Any, begins: str) -> None:
    (sentence,) = refusals(replace(SAFE_FACTS, **{fact: value}))
    assert sentence.startswith(begins)


def test_unsafe_production_ends_with_the_sentences_alone(tmp_path: Path) -> None:
    unsafe = {
        "REMIT_ENV": "production",
        "DEBUG": "on",
        "SECRET_KEY": "short",
        "ALLOWED_HOSTS": "*",
        "CSRF_TRUSTED_ORIGINS": "http://remit.example",
        "SECURE_COOKIES": "off",
        "SANDBOX": "on",
        "LOCAL_ACCOUNTS": "on",
        "DIRECTORY_URL": "ldap://directory.example",
        "DIRECTORY_PEOPLE_BASE": "ou=people",
    }
    refused = start(tmp_path, **unsafe)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert [line.split()[0] for line in refused.stderr.splitlines()] == [
        "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DATABASE_URL",
        "BROKER_URL", "SECURE_COOKIES", "SANDBOX", "LOCAL_ACCOUNTS", "DIRECTORY_URL",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "variables",
    [
        {"SANDBOX": "on", "REMIT_SANDBOX": "allow"},
        {"LOCAL_ACCOUNTS": "on", "LOCAL_ACCOUNTS_IN_PRODUCTION": "on"},
    ],
)
def test_what_was_told_so_starts(tmp_path: Path, variables: dict[str, str]) -> None:
    assert start(tmp_path, **SAFE | variables).stderr == ""


def test_call_that_could_outlive_its_lease_is_refused(tmp_path: Path) -> None:
    refused = start(tmp_path, CALL_TIMEOUT_SECONDS="60", LEASE_SECONDS="60")
    assert refused.stderr.startswith("CALL_TIMEOUT_SECONDS is 60, not shorter than LEASE_SECONDS")


def test_survey_that_could_never_end_is_refused(tmp_path: Path) -> None:
    refused = start(tmp_path, SURVEY_TIMEOUT_SECONDS="30")
    assert refused.stderr.startswith("SURVEY_TIMEOUT_SECONDS is 30, less than two calls of")


def test_development_keeps_one_secret_key_to_itself(tmp_path: Path) -> None:
    keys = {start(tmp_path, "s.SECRET_KEY").stdout for _ in range(2)}
    path = tmp_path / "data" / "secret_key"
    assert keys == {path.read_text() + "\n"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_servers_the_failure_to_connect_names_the_way_out(tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); from django.db import connection;"
        "connection.ensure_connection()"
    )
    failed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "start-make-run-or-set-DATABASE_URL" in failed.stderr


def test_sessions_of_the_database_have_their_timeouts(database_copy: object) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("5s",)
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)


PROVIDER = {"OIDC_ISSUER": "https://sso.example", "OIDC_CLIENT_ID": "remit"}


def test_a_provider_is_registered_with_what_it_needs_alone(tmp_path: Path) -> None:
    asked = "(s.OIDC.issuer, s.OIDC.client_id, s.OIDC.scopes, s.OIDC_GROUPS_CLAIM)"
    started = start(tmp_path, asked, **SAFE, **PROVIDER)
    assert started.stderr == ""
    said = "('https://sso.example', 'remit', ('openid', 'profile', 'email'), 'groups')"
    assert started.stdout == f"{said}\n"


@pytest.mark.parametrize(
    ("given", "claim"), [("none", ""), ("nonesuch", "nonesuch"), ("", "groups")]
)
def test_groups_may_come_from_another_claim_or_from_none(
    tmp_path: Path, given: str, claim: str
) -> None:
    started = start(tmp_path, "s.OIDC_GROUPS_CLAIM", **SAFE, **PROVIDER, OIDC_GROUPS_CLAIM=given)
    assert started.stdout == f"{claim}\n"


def test_local_accounts_do_not_sign_in_in_production(tmp_path: Path) -> None:
    asked = "[each.rpartition('.')[2] for each in s.AUTHENTICATION_BACKENDS]"
    started = start(tmp_path, asked, **SAFE, **PROVIDER)
    assert started.stdout == "['AxesStandaloneBackend', 'ProviderBackend']\n"


@pytest.mark.parametrize(
    ("variables", "begins"),
    [
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID is not set"),
        ({"OIDC_SCOPES": "profile"}, "OIDC_SCOPES lacks openid"),
        ({"OIDC_ISSUER": "http://sso.example"}, "OIDC_ISSUER does not begin with https://"),
    ],
)
def test_a_provider_that_cannot_work_is_refused(
    tmp_path: Path, variables: dict[str, str], begins: str
) -> None:
    refused = start(tmp_path, **SAFE | PROVIDER | variables)
    assert refused.returncode == 1
    assert refused.stderr.startswith(begins)


def test_the_secret_of_the_client_is_shown_nowhere(tmp_path: Path) -> None:
    started = start(tmp_path, "s.OIDC", **SAFE, **PROVIDER, OIDC_CLIENT_SECRET="hush-hush")
    assert "client_id" in started.stdout
    assert "hush-hush" not in started.stdout


@pytest.mark.parametrize(
    ("variables", "begins"),
    [
        ({"SITE_URL": ""}, "EMAIL_HOST is set and SITE_URL is not"),
        ({"DEFAULT_FROM_EMAIL": ""}, "EMAIL_HOST is set and DEFAULT_FROM_EMAIL is not"),
        ({"DEFAULT_FROM_EMAIL": "Remit"}, "DEFAULT_FROM_EMAIL is 'Remit': write"),
        ({"MAIL_REPLY_TO": "a@b@c"}, "MAIL_REPLY_TO is 'a@b@c': write"),
        ({"EMAIL_USE_SSL": "on", "EMAIL_USE_TLS": "on"}, "EMAIL_USE_SSL and EMAIL_USE_TLS"),
        ({"SITE_URL": "remit.example"}, "SITE_URL does not begin with https://"),
    ],
)
def test_mail_that_could_not_go_out_is_refused(
    tmp_path: Path, variables: dict[str, str], begins: str
) -> None:
    refused = start(tmp_path, **MAILING | variables)
    assert refused.returncode == 1
    assert refused.stderr.startswith(begins)


def test_mail_is_off_until_a_server_is_named(tmp_path: Path) -> None:
    asked = "(s.EMAIL_HOST, s.EMAIL_PORT, s.SITE_URL)"
    assert start(tmp_path, asked, PORT="8042").stdout == "('', 25, 'http://127.0.0.1:8042')\n"
    started = start(tmp_path, asked, **MAILING, EMAIL_USE_TLS="on")
    assert started.stdout == "('smtp.example', 587, 'https://remit.example')\n"


def test_behind_a_pooler_nothing_is_left_to_a_session(tmp_path: Path) -> None:
    asked = (
        "(s.DATABASES['default']['OPTIONS'].get('options'), "
        "s.DATABASES['default']['DISABLE_SERVER_SIDE_CURSORS'])"
    )
    assert start(tmp_path, asked, **SAFE, DATABASE_POOLED="on").stdout == "(None, True)\n"


def test_statements_are_prepared_unless_a_pooler_is_between_or_somebody_says_no(
    tmp_path: Path,
) -> None:
    asked = (
        "(lambda options: (options.get('prepare_threshold'), "
        "'plan_cache_mode' in options.get('options', '')))(s.DATABASES['default']['OPTIONS'])"
    )
    assert start(tmp_path, asked, **SAFE).stdout == "(0, True)\n"
    for off in ({"PREPARED_STATEMENTS": "off"}, {"DATABASE_POOLED": "on"}):
        assert start(tmp_path, asked, **SAFE, **off).stdout == "(None, False)\n"
    both = {"PREPARED_STATEMENTS": "on", "DATABASE_POOLED": "on"}
    assert start(tmp_path, asked, **SAFE, **both).stdout == "(None, False)\n"


def test_a_role_without_the_timeouts_of_sessions_is_found_by_the_checks(
    database_copy: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from portal.pooled import check_sessions

    monkeypatch.setattr(settings, "DATABASE_POOLED", True)
    assert list(check_sessions(databases=["default"])) == []
    monkeypatch.setitem(settings.DATABASE_SESSION, "lock_timeout", 7_000)
    (found,) = check_sessions(databases=["default"])
    assert found.hint is not None
    assert found.hint.startswith("ALTER ROLE … SET lock_timeout = 7000;")
