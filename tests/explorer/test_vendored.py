"""The vendored libraries of the explorer are byte for byte those that npm publishes and has verified by digest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wxpay_dsl.sandbox.explorer
from tests.requirements import require

ASSETS = Path(wxpay_dsl.sandbox.explorer.__file__).parent / "assets"
#: Where each file comes from.
SOURCES = {
    "lit-html/lit-html.js": "lit-html/lit-html.js",
    "lit-html/LICENSE": "lit-html/LICENSE",
    "highlight/LICENSE": "@highlightjs/cdn-assets/LICENSE",
    "highlight/core.min.js": "@highlightjs/cdn-assets/es/core.min.js",
    **{
        f"highlight/{language}.min.js": f"@highlightjs/cdn-assets/es/languages/{language}.min.js"
        for language in ("bash", "javascript", "json", "python")
    },
}


def carried() -> set[str]:
    vendor = ASSETS / "vendor"
    return {file.relative_to(vendor).as_posix() for file in vendor.rglob("*") if file.is_file()}


def test_where_all_of_it_comes_from_is_known() -> None:
    assert carried() == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_as_published(name: str) -> None:
    published = Path(require("npm packages")) / SOURCES[name]
    assert (ASSETS / "vendor" / name).read_bytes() == published.read_bytes()


def test_it_is_light() -> None:
    """The total size, in bytes, of what a browser loads for the page."""
    assert sum(file.stat().st_size for file in ASSETS.rglob("*") if file.is_file()) < 120_000


def test_all_that_the_scripts_import_is_served() -> None:
    from wxpay_dsl.sandbox.explorer.routes import PREFIX, SERVED

    for script in ASSETS.glob("*.js"):
        for path in re.findall(r"from '([^']+)'", script.read_text("utf-8")):
            assert path.removeprefix(PREFIX) in SERVED, f"{script.name}: {path}"
    for name in SERVED:
        assert (ASSETS / name).is_file(), name
