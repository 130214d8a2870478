"""The honesty table is printed at the end of a run that measured it."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    import claims

    if claims.measured.cache_info().currsize == len(claims.CASES):
        terminalreporter.section("honesty")
        for row in claims.table():
            terminalreporter.write_line(row)
