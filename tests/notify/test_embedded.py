"""Without a store named: SQLite in the user's state folder, one file for each application."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.notify.conftest import Sender, Wire
from wxpay_dsl import Notifications
from wxpay_dsl.notify.stores.embedded import state_folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's state folder, and a working folder beside it."""
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


async def handled(sender: Sender, wire: Wire) -> int:
    """How often a new process's handler, so to say, runs for a delivery."""
    notifications = Notifications(sender.merchant_keys, ack_timeout=100, lease=1000)
    seen = []
    notifications.fallback(lambda notification: seen.append(notification.id))
    answer = await notifications.handle(wire.headers, wire.body)
    await notifications.close()
    assert answer.status == 204
    return len(seen)


async def test_what_was_handled_is_remembered_by_the_next_process(sender: Sender, state: Path) -> None:
    wire = sender.event()
    assert [await handled(sender, wire) for _ in range(2)] == [1, 0]
    (file,) = state.rglob("*.db")  # noqa: ASYNC240 (a test may)
    assert file.name.startswith("shop-")
    assert file.parent.stat().st_mode & 0o077 == 0


async def test_another_application_is_told_for_itself(
    sender: Sender, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = sender.event()
    assert await handled(sender, wire) == 1
    (tmp_path / "books").mkdir()
    monkeypatch.chdir(tmp_path / "books")
    assert await handled(sender, wire) == 1


async def test_nothing_is_written_for_what_is_only_read(sender: Sender, state: Path) -> None:
    wire = sender.event()
    await Notifications(sender.merchant_keys).parse(wire.headers, wire.body)
    assert not state.exists()  # noqa: ASYNC240 (likewise)


async def test_a_folder_that_cannot_be_written_is_said(
    sender: Sender, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state.write_text("no folder")  # noqa: ASYNC240 (likewise)
    wire = sender.event()
    with caplog.at_level(logging.WARNING):
        assert [await handled(sender, wire) for _ in range(2)] == [1, 1]
    assert "remembered in this process only" in caplog.text
    assert str(state) in caplog.text


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, "linux", "/var/state"),
        ({}, "linux", "~/.local/state"),
        ({}, "darwin", "~/Library/Application Support"),
        ({"LOCALAPPDATA": "/users/a/local"}, "win32", "/users/a/local"),
        ({}, "win32", "~/AppData/Local"),
    ],
)
def test_the_folder_is_the_system_s_own(environment: dict[str, str], platform: str, folder: str) -> None:
    assert state_folder(environment, platform) == Path(folder).expanduser()
