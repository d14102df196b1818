"""The Python of every page runs as printed: each operation's against the sandbox, each handler as it registers."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.examples import example
from wxpay_dsl.site.snippets import call_snippet, event_snippet

pytestmark = pytest.mark.timeout(900)


@contextlib.contextmanager
def serving(folder: Path, *, tls: bool) -> Iterator[Sandbox]:
    """A sandbox on a thread of its own, since each program runs a loop of its own; its profile is in ``folder``."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = Sandbox(stateful=False, tls=tls)
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(100)
        sandbox.write_home(folder)
        yield sandbox
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(100)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def run(operation: Operation) -> str:
    """The traceback's last line where the program fails, else what is wrong with what it printed."""
    program = call_snippet(operation, example)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(program, operation.name, "exec"), {"__name__": "__main__"})  # noqa: S102 (running it is the point)
    except Exception as error:  # noqa: BLE001 (a page's program may fail in any way)
        return f"{operation.name}: {type(error).__name__}: {error}"
    return "" if printed.getvalue().strip() else f"{operation.name}: printed nothing"


@pytest.mark.slow
@pytest.mark.parametrize("mutual_tls", [False, True])
def test_every_program_of_every_page_runs(mutual_tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [operation for operation in tree().operations() if operation.mutual_tls is mutual_tls]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WXPAY_WECOM_SECRET", "wecom")  # two operations are signed with it, too
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with serving(tmp_path, tls=mutual_tls):
        failed = [message for operation in operations if (message := run(operation))]
    assert failed == []
    assert len(operations) > (1000 if not mutual_tls else 20)


async def test_every_handler_of_every_page_registers() -> None:
    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        for name in tree().event_names():
            event = tree().event(name)
            assert event is not None
            names = {"wxpay": wxpay}
            exec(compile(event_snippet(event), name, "exec"), names)  # noqa: S102 (running it is the point)
            assert callable(names["handle"])
