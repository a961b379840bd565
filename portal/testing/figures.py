"""pytest plugin: what tests measured is told at the end of the run, whatever process ran them.

A test says it by pytest's own `record_property(FIGURES, "a sentence")`.
"""

import pytest

FIGURES = "figures"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    said = [
        str(value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == FIGURES
    ]
    if said:
        terminalreporter.section("what was measured")
    for sentence in said:
        terminalreporter.write_line(sentence)
