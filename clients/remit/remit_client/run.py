"""What every command has: the site, the screen, and the options that all of them take."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from .config import find_access
from .show import Screen
from .site import Site

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Run:
    """One run of the program. The site is asked for first where it is needed."""

    screen: Screen = field(default_factory=Screen)
    ca: str | None = None
    _site: Site | None = None

    @property
    def site(self) -> Site:
        if self._site is None:
            environment = dict(os.environ)
            if self.ca:
                environment["REMIT_CA"] = self.ca
            self._site = Site(find_access(environment), say=self.screen.aside)
        return self._site


def _json(context: click.Context, _option: click.Parameter, value: bool) -> None:
    run = context.ensure_object(Run)
    run.screen.as_json = run.screen.as_json or value


def _ca(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    run = context.ensure_object(Run)
    run.ca = value or run.ca


pass_run = click.make_pass_decorator(Run, ensure=True)


def with_options(function: Function) -> Function:
    """--json and --ca, which go to the run and not to the command; before all others."""
    function = click.option(
        "--ca", type=click.Path(dir_okay=False), expose_value=False, callback=_ca, is_eager=True,
        help="A file of certificates to trust; or REMIT_CA.",
    )(function)  # fmt: skip
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_json, is_eager=True,
        help="JSON on standard output, sentences on standard error.",
    )(function)  # fmt: skip
