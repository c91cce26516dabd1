"""Options of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--renew-golden` writes the golden files anew; review the difference before you commit it."""
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden anew")
