"""The map in CONTRIBUTING.md is that of the imports, and what it says of where to change things is there."""

from __future__ import annotations

import re

from tests.docs.package_map import PAGE, drawn, written
from tests.docs.pages import ROOT


def test_the_map_is_drawn_from_the_imports() -> None:
    assert written() == drawn(), "python -m tests.docs.package_map draws it anew"


def test_every_place_that_is_named_is_there() -> None:
    table = PAGE.read_text("utf-8").partition("## Where do I change")[2].partition("\n## ")[0]
    places = re.findall(r"`((?:wxpay_dsl|specs|tests|docs|bench)/[\w./-]*)`", table)
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []
