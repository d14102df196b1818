"""Measures how long type checkers take for a small program that imports the package, without a cache."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import wxpay_dsl
from wxpay_dsl.typing.files import write_packaged

__all__ = ["seconds"]

_PROGRAM = """
from wxpay_dsl import wxpay

async def pay() -> str:
    response = await wxpay.v3.eduPapay.contracts.presign.post(
        appid="wx8888888888888888", openid="o", plan_id="1", user_id="1",
        period_start_date="2026-03-19", trade_scene="EDUCATION_PERIOD",
    )
    order = await wxpay.v3.pay.transactions.native.post(
        appid="wx8888888888888888", mchid="1900000109", description="d", out_trade_no="1",
        notify_url="https://www.weixin.qq.com/wxpay/pay.php", amount={"total": 100},
    )
    return response.data["presign_token"] + order.data["code_url"]
"""


def seconds(rounds: int) -> dict[str, float]:
    """``{"mypy_s": …, "pyright_s": …}``: medians in seconds, each round in a new folder."""
    taken: dict[str, list[float]] = {"mypy_s": [], "pyright_s": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = _project(Path(name))
            # Without its own configuration a project would use that in the user's home directory.
            (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n")
            (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
            taken["mypy_s"].append(_timed(folder, "mypy", "--cache-dir", str(folder / "cache"), "program.py"))
            taken["pyright_s"].append(_timed(folder, "basedpyright", "program.py"))
    return {checker: statistics.median(found) for checker, found in taken.items()}


def _project(folder: Path) -> Path:
    """The package as in a wheel, with its generated types, and the program."""
    package = folder / "wxpay_dsl"
    package.mkdir()
    for entry in Path(wxpay_dsl.__file__).parent.iterdir():
        if entry.name not in ("typed", "__pycache__"):
            (package / entry.name).symlink_to(entry)
    write_packaged(package / "typed")
    (folder / "program.py").write_text(_PROGRAM)
    return folder


def _timed(folder: Path, module: str, *arguments: str) -> float:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{module} reports errors in the program:\n{done.stdout}{done.stderr}")
    return taken
