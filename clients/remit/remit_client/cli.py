"""The program: its commands, and how each of its ends becomes a sentence and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from . import __version__
from .commands import account, asking, deciding, delegating, projects, reading
from .failures import MEANINGS, Exit, Failure
from .run import Run
from .show import ReaderGone

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {words}" for code, words in MEANINGS.items())


@click.group(epilog=EPILOG + ".", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="remit")
def cli() -> None:
    """Ask for quota, follow what becomes of it, and decide, from a terminal or a script.

    Sign in with `remit login`; REMIT_URL and REMIT_TOKEN in the environment win over it.
    """


for each in (account, reading, asking, deciding, delegating, projects):
    for command in each.COMMANDS:
        cli.add_command(command)


def main() -> NoReturn:
    """Run, and exit with one of the codes of failures.Exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter shows a sign in its place instead of failing.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a text stream
    run = Run()
    try:
        code = run_command(run)
    except ReaderGone:
        # Nothing more may be written, not at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    sys.exit(code)


def run_command(run: Run, arguments: Sequence[str] | None = None) -> int:
    """The exit code of a run; arguments: instead of those of the process."""
    try:
        answer = cli.main(arguments, obj=run, standalone_mode=False)
        return int(answer) if isinstance(answer, int) else Exit.DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort:
        run.screen.aside("Interrupted.")
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except Failure as failure:
        run.screen.failure(failure)
        return failure.code
    except ReaderGone:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold what it failed over: not shown
        place = traceback.extract_tb(error.__traceback__)[-1]
        run.screen.aside(
            f"remit: a fault of this program, {type(error).__name__} in {place.name} "
            f"({os.path.basename(place.filename)}:{place.lineno}). Please report it."
        )
        return Exit.FAULT
