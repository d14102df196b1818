"""The masked string shows its text only when it is revealed."""

from __future__ import annotations

import copy
import pickle

import pytest

from wxpay_dsl.core.secrets import Secret

SECRET = Secret("hunter2")


def test_no_way_of_writing_it_shows_it() -> None:
    for shown in (repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r:>20}", repr([SECRET]), repr({"a": SECRET})):
        assert "hunter2" not in shown
        assert "Secret" in shown
    assert SECRET.reveal() == "hunter2"
    with pytest.raises(TypeError):
        vars(SECRET)  # type: ignore[arg-type]


def test_it_compares_by_its_text_and_is_false_when_empty() -> None:
    assert Secret.of("hunter2") == SECRET == Secret.of(SECRET)
    assert Secret("hunter3") != SECRET
    assert SECRET != "hunter2"
    assert hash(Secret("hunter2")) == hash(SECRET)
    assert Secret("\ud800") == Secret("\ud800")
    assert SECRET
    assert not Secret("")


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, *(lambda s, p=p: pickle.dumps(s, p) for p in range(6))])
def test_it_is_not_copied_into_anything(take: object) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        take(SECRET)  # type: ignore[operator]
