"""Every target of the fuzzing, for a moment: the corpus that was kept, what is made of it, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
#: Of a target that works longer for an input, fewer.
EXAMPLES = {"sandbox": 60, "keys": 40, "specs": 60, "bills": 80, "openapi": 60}


def kept(name: str) -> list[Path]:
    return sorted((CORPUS / name).iterdir())


@pytest.mark.parametrize(
    ("name", "file"), [pytest.param(name, file, id=f"{name}/{file.name}") for name in TARGETS for file in kept(name)]
)
def test_what_was_kept(name: str, file: Path) -> None:
    TARGETS[name](file.read_bytes())


def changed(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Noise, and kept inputs that were cut, put together, and changed in the middle."""
    part = st.tuples(st.sampled_from(seeds), st.integers(0, 4096), st.integers(0, 4096)).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[0][drawn[2] :]
    )
    spliced = st.tuples(part, st.binary(max_size=12), part).map(b"".join)
    return st.binary(max_size=300) | part | spliced


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_made_of_it(name: str) -> None:
    @settings(
        max_examples=EXAMPLES.get(name, 150),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(changed([file.read_bytes() for file in kept(name)]))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()
