"""``python -m bench`` measures the same whatever environment it is started in."""

from __future__ import annotations

import os

import pytest

from bench._bytecode import compiled
from bench._probe import run_python

CACHED = "import json, os, wxpay_dsl; print(json.dumps(os.path.exists(wxpay_dsl.__spec__.cached)))"


@pytest.mark.parametrize("said", [None, "1"], ids=["unset", "PYTHONDONTWRITEBYTECODE"])
def test_measured_processes_find_compiled_bytecode(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    if said is not None:
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", said)
    before = dict(os.environ)
    with compiled():
        run_python(CACHED)
        assert run_python(CACHED) is True
    assert dict(os.environ) == before
