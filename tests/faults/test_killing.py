"""SIGKILL at random points, and afterwards nothing is lost or doubled. ``python -m tests.faults`` does it for hours."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults.killing import ROUNDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", ROUNDS)
def test_the_books_agree_after_kills(name: str) -> None:
    outcome = ROUNDS[name](Random(8), 2)  # noqa: S311 (when to kill, nothing secret)
    assert outcome.wrong == []
    assert outcome.kills.total() >= 1
    assert outcome.done.total() >= 1
