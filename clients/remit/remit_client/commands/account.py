"""login, logout, whoami: by which token the program calls."""

import os
import sys

import click

from ..config import Access, checked_token, checked_url, config_file, find_access, write
from ..failures import NotSignedIn, Wrong
from ..run import Run, pass_run, with_options
from ..site import Site


@click.command()
@click.argument("url", required=False)
@with_options
@pass_run
def login(run: Run, url: str | None) -> None:
    """Keep the address of a site and a token for it.

    The token is asked for without showing it, or read from standard input:
    `remit login https://remit.example < token.txt`. Make one on your page in the site.
    It is kept in a file that only you may read.
    """
    is_asked = sys.stdin.isatty()
    if url is None:
        url = os.environ.get("REMIT_URL")
    if url is None and is_asked:
        url = click.prompt("Address of the site", err=True)
    if url is None:
        raise Wrong("Name the site: `remit login https://remit.example`.")
    address = checked_url(url)
    if is_asked:
        text = click.prompt("Token (not shown)", hide_input=True, err=True)
    else:
        text = sys.stdin.readline(10_000)
    ca = run.ca or os.environ.get("REMIT_CA")
    access = Access(address, checked_token(text), os.path.abspath(ca) if ca else None)
    me = Site(access, say=run.screen.aside).get("me/")
    file = config_file(os.environ)
    try:
        write(file, access)
    except OSError as error:
        raise Wrong(f"{file} cannot be written: {error.strerror}.") from error
    if run.screen.as_json:
        run.screen.json({"url": address, "me": me})
    else:
        run.screen.line(f"Signed in at {address} as {me['name']}.")
    if os.environ.get("REMIT_TOKEN"):
        run.screen.aside("REMIT_TOKEN is set and wins over it.")


@click.command()
@with_options
@pass_run
def logout(run: Run) -> None:
    """Forget the token on this machine. It stays in force: end it on your page in the site."""
    file = config_file(os.environ)
    file.unlink(missing_ok=True)
    if run.screen.as_json:
        run.screen.json({"signed_in": False})
    else:
        run.screen.line("The token is forgotten here. End it on your page in the site too.")


@click.command()
@with_options
@pass_run
def whoami(run: Run) -> None:
    """Show where you are signed in, and as whom."""
    try:
        access = find_access(os.environ)
    except NotSignedIn:
        run.screen.aside("Nobody is signed in here.")
        raise
    me = run.site.get("me/")
    if run.screen.as_json:
        run.screen.json({"url": access.url, "me": me})
        return
    run.screen.facts(
        site=access.url, name=me["name"], id=me["id"],
        decides_for=", ".join(me["decides_for"]),
        operator="yes" if me["is_operator"] else "", auditor="yes" if me["is_auditor"] else "",
    )  # fmt: skip


COMMANDS = (login, logout, whoami)
