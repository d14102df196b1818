"""Runs every code block of a page of documentation, in order, in one folder, beside a sandbox.

A reader copies a block and expects it to work; so does this. What a block's fence cannot say, an HTML comment on the
line before it does, unseen by readers:

- ``<!-- file: NAME -->``: the block is that file's content, and is written for the blocks after it.
- ``<!-- serve -->``: a command that stays: it runs until the page ends, once it has printed ``ready``.
- ``<!-- run by: FILE -->``: a test of its own runs this block (what installs, say).
- ``<!-- serving -->``: what the last command that stays has printed by now, or soon will; it may have ended with it.
- ``<!-- fails: CODE -->``: the command is meant to end with this exit code.

``python`` blocks share their names, may ``await``, and find ``wxpay``, an open client, and ``sandbox``, which it
calls; one with ``asyncio.run(`` is a whole program and runs as one. ``sh`` blocks find the command ``wxpay``; they and
programs find the sandbox's profile in the environment and as ``wxpay.toml``. A ``text`` block is what the block
before it printed, ``…`` standing for anything.
``yaml`` without a file is a spec, ``toml`` a profile, ``json`` JSON: each is read. No other fence is allowed.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from tests.requirements import require
from wxpay_dsl import Wechatpay
from wxpay_dsl.core.specs.loader import load
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.settings.settings import read_profile
from wxpay_dsl.wechat.chains import CHAINS, DEFAULT

__all__ = ["ROOT", "Block", "PageError", "blocks", "run_page"]

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(r"^( *)```(.*)$")
_SAID: Final = re.compile(r"^ *<!-- ([a-z ]+?)(?:: (.+?))? -->$")
_SAYABLE: Final = ("file", "serve", "serving", "run by", "fails")
#: Seconds for one block, on a busy machine.
_PATIENCE: Final = 250


class PageError(AssertionError):
    """A block that does not do what it says."""


@frozen
class Block:
    """One fenced block: its language, its text, the comment before it, and where it is."""

    language: str
    text: str
    said: Mapping[str, str]
    where: str


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of ``page``. Raises PageError for a comment that means nothing, or a fence left open."""
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), 1))
    said: dict[str, str] = {}
    for number, line in lines:
        comment = _SAID.match(line)
        fence = _FENCE.match(line)
        if comment:
            if comment[1] not in _SAYABLE:
                raise PageError(f"{page.name}:{number}: {comment[1]!r} is none of {', '.join(_SAYABLE)}")
            said[comment[1]] = comment[2] or ""
        elif fence:
            indent, language = len(fence[1]), fence[2].strip()
            text: list[str] = []
            for _, inner in lines:
                if _FENCE.match(inner):
                    break
                text.append(inner[indent:])
            else:
                raise PageError(f"{page.name}:{number}: the block is never closed")
            yield Block(language, "\n".join(text) + "\n", said, f"{page.name}:{number}")
            said = {}
        elif line.strip() and said:
            raise PageError(f"{page.name}:{number}: the comment before is not followed by a block")


async def run_page(page: Path, folder: Path) -> int:
    """Runs the page's blocks in ``folder`` and says how many there were. Raises PageError for the first that fails."""
    count = 0
    async with Sandbox(home=folder / "wxpay-home", specs=()) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        runner = _Runner(folder, {"sandbox": sandbox, "wxpay": wxpay})
        runner.prepare()
        before = Path.cwd()
        os.chdir(folder)
        try:
            for block in blocks(page):
                count += 1
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await runner.run(block)
                except PageError:
                    raise
                except Exception as error:
                    raise PageError(f"{block.where}: {type(error).__name__}: {error}\n{block.text}") from error
        finally:
            os.chdir(before)
            await runner.end()
    return count


@define
class _Runner:
    folder: Path
    names: dict[str, Any]
    #: What the last command or program printed; None where nothing ran yet.
    printed: str | None = None
    serving: list[asyncio.subprocess.Process] = field(factory=list)
    environment: dict[str, str] = field(factory=dict)

    def prepare(self) -> None:
        """The profile of the sandbox, and the command, as an installation would put it on the path."""
        home = self.folder / "wxpay-home"
        (self.folder / "wxpay.toml").write_bytes((home / "wxpay.toml").read_bytes())
        command = self.folder / ".bin" / "wxpay"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wxpay_dsl.cli "$@"\n')
        command.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
        path = os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), kept.get("PATH", "")])
        self.environment = {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        self.environment["WXPAY_PROFILE"] = str(self.folder / "wxpay.toml")

    async def run(self, block: Block) -> None:
        if "run by" in block.said:
            if not (ROOT / block.said["run by"]).is_file():
                raise PageError(f"{block.where}: no such test: {block.said['run by']}")
        elif "file" in block.said:
            file = self.folder / block.said["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.language == "python":
            self.printed = await self._python(block)
        elif block.language in ("sh", "bash"):
            self.printed = await self._shell(block)
        elif "serving" in block.said:
            await self._await(block)
        elif block.language == "text":
            self._compare(block)
        else:
            self._read(block)

    async def _python(self, block: Block) -> str:
        if "asyncio.run(" in block.text:
            program = self.folder / ".program.py"
            program.write_text(block.text, "utf-8")
            return await self._process(block, sys.executable, str(program))
        code = compile(block.text, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = eval(code, self.names)  # noqa: S307 (running the page is the point)
            if inspect.iscoroutine(result):
                await result
        return printed.getvalue()

    async def _shell(self, block: Block) -> str:
        if "serve" not in block.said:
            return await self._process(block, require("bash"), "-euo", "pipefail", "-c", block.text)
        process = await asyncio.create_subprocess_exec(
            *(require("bash"), "-c", f"exec env {block.text}"), env=self.environment, stdout=asyncio.subprocess.PIPE
        )
        self.serving.append(process)
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if not line.startswith("ready"):
            raise PageError(f"{block.where}: it does not serve: {line!r}")
        return line

    async def _process(self, block: Block, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != int(block.said.get("fails", "0")):
            raise PageError(f"{block.where}: exit code {process.returncode}\n{block.text}{out.decode()}{err.decode()}")
        return out.decode() + (err.decode() if "fails" in block.said else "")

    async def _await(self, block: Block) -> None:
        """Reads on what stays until it has printed the block; it has the time that any other has."""
        if not self.serving or (stream := self.serving[-1].stdout) is None:
            raise PageError(f"{block.where}: nothing serves that could print this")
        self.printed = ""
        while not _is_in(block.text, self.printed):
            line = await stream.readline()
            if not line:
                raise PageError(f"{block.where}: it ended, expected\n{block.text}\nprinted\n{self.printed}")
            self.printed += line.decode()

    def _compare(self, block: Block) -> None:
        if self.printed is None:
            raise PageError(f"{block.where}: nothing ran that could have printed this")
        if not _is_in(block.text, self.printed):
            raise PageError(f"{block.where}: expected\n{block.text}\nprinted\n{self.printed}")

    def _read(self, block: Block) -> None:
        """A block that is data: it must be what it says it is."""
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            file = self.folder / ".profile.toml"
            file.write_text(block.text, "utf-8")
            read_profile(file)
        elif block.language == "yaml":
            specs = self.folder / ".specs"
            specs.mkdir(exist_ok=True)
            file = specs / "page.yaml"
            file.write_text(block.text, "utf-8")
            load((str(ROOT / "specs"), str(specs)), str(file), DEFAULT, CHAINS)
        else:
            raise PageError(f"{block.where}: a block of {block.language or 'nothing'} cannot be run")

    async def end(self) -> None:
        for process in self.serving:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


def _is_in(text: str, printed: str) -> bool:
    return re.search(".*?".join(map(re.escape, text.strip().split("…"))), printed, re.DOTALL) is not None


def main() -> None:
    """``python -m tests.docs.pages FILE``: runs one page by hand."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{asyncio.run(run_page(Path(sys.argv[1]).resolve(), Path(folder)))} blocks ran\n")


if __name__ == "__main__":
    main()
