"""A command of a site's operators: what it says, and what it refuses with."""

import io

import pytest
from django.core.management import CommandError, call_command


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said, stderr=said)
    return said.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)
