"""Fixtures of the tests of core: temporary spec folders, trees over them, and the library."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.core.library_api.api import client
from tests.core.library_api.server import Library
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.client import Client

#: Two dialects: the chain of one equals its path, that of the other begins with a name that its URLs do not have.
CHAINS = {"json": (), "old": ("old",)}

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty spec folder."""
    path = tmp_path / "specs"
    path.mkdir()
    return path


@pytest.fixture
def write(folder: Path) -> Write:
    """``write("v1/shop.yaml", text)`` puts a spec into the folder; the text may be indented."""

    def write(name: str, text: str | bytes, into: Path = folder) -> Path:
        file = into / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return file

    return write


def tree_of(*folders: Path | str) -> Tree:
    """The tree of some folders; ``json`` is the default dialect."""
    return Tree([str(folder) for folder in folders], CHAINS, "json")


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    """The running server of the library."""
    async with Library() as library:
        yield library


@pytest.fixture
async def api(library: Library) -> AsyncIterator[Client]:
    """A client of the library."""
    async with client(library.url) as api:
        yield api
