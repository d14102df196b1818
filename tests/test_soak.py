"""The long run, shortened: nothing wrong, nothing left."""

from __future__ import annotations

import pytest

from bench.soak import run


@pytest.mark.slow
def test_everything_goes_wrong_and_no_result_is() -> None:
    measured = run(quick=True, calls=1000)
    assert measured["wrong_results"] == []
    assert (measured["leaked_tasks"], measured["leaked_connections"]) == (0, 0)
    assert measured["calls"] >= 1000
    # The faults did happen, and were survived.
    assert measured["attempts"] > measured["calls"] - sum(measured["failed"].values())
