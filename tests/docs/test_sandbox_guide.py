"""What the guide to the sandbox says of it is so: every address, every fault, and its JavaScript."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from tests.docs.pages import ROOT, blocks
from tests.requirements import require
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.control import http_api as control_api
from wxpay_dsl.sandbox.protocol.faults import KINDS

GUIDE = ROOT / "docs" / "guide" / "sandbox.md"


def rows(heading: str) -> list[list[str]]:
    """The table below a heading, a list of cells for each row."""
    text = GUIDE.read_text("utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_every_control_address_is_told() -> None:
    told = {tuple(re.findall(r"`(\w+) /sandbox(/[\w/-]+)`", row[0])[0]) for row in rows("用 HTTP 控制")}
    there = {(method, path) for method, path in control_api._HANDLERS if method != "DELETE"}
    assert told == there | {("GET", "/list/KIND")}


def test_every_fault_is_told_with_its_value() -> None:
    told = {
        name: float(value or 0)
        for row in rows("注入故障")
        for name, value in re.findall(r"`([a-z-]+)(?:=(\d+))?`", row[0])
    }
    assert told == {kind: value for kind, (_, value) in KINDS.items()}


async def test_its_javascript_runs(tmp_path: Path) -> None:
    modules = require("npm packages")
    (program,) = [block.text for block in blocks(GUIDE) if block.language == "js"]
    async with Sandbox(home=tmp_path / "sandbox") as sandbox:
        process = await asyncio.create_subprocess_exec(
            *(require("node"), "-e", program),
            cwd=tmp_path,
            env={**os.environ, "NODE_PATH": modules},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 250)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert out.decode().startswith("weixin://wxpay/bizpayurl"), out.decode()
        assert sandbox.control.list("transactions")[0]["out_trade_no"] == "J00000001"
