"""Output fits the terminal: lines wrap with an indent, Chinese text aligns, and names and serials are not cut."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.shell import environment

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test


def screen(columns: int, *arguments: str) -> list[str]:
    """The lines that the command prints on a terminal of ``columns`` columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "wxpay_dsl.cli", *arguments]
    env = environment({"TERM": "xterm", "NO_COLOR": "1"})
    printed = b""
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        while True:
            assert select.select([master], [], [], 90)[0], "it says nothing, and does not end"
            try:
                read = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            printed += read
    os.close(master)
    assert process.returncode in (0, 4)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\", "", printed.decode())
    return [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]


@pytest.mark.parametrize("columns", [60, 140])
def test_no_line_is_wider_than_the_terminal(columns: int, profile: Path) -> None:
    for arguments in (
        ("demo",),
        ("spec", "list", "预签约"),
        ("spec", "show", "v3.pay.transactions.native.post"),
        ("certs", "--profile", str(profile)),
        ("doctor", "--profile", str(profile)),
        ("call", "v3.pay.transactions.native.post", "-d", "{}", "--profile", str(profile)),
    ):
        assert [line for line in screen(columns, *arguments) if cell_len(line) > columns] == [], arguments


def test_names_and_serials_are_whole_on_a_narrow_terminal(profile: Path) -> None:
    page = screen(60, "spec", "show", "v3.pay.transactions.native.post")
    names = {line.split()[0] for line in page if line.startswith("  ") and line.split()}
    assert {"out_trade_no", "support_fapiao?", "wechatpay_goods_id?"} <= names
    (key_id,) = re.findall(r"^(PUB_KEY_ID_\w+) =", profile.read_text(), re.MULTILINE)
    assert key_id in "".join(line.split(" ")[0] for line in screen(60, "certs", "--profile", str(profile)))


def test_columns_stand_below_each_other_though_chinese_is_wider() -> None:
    page = screen(140, "spec", "show", "v3.eduPapay.contracts.presign.post")
    rows = [line for line in page if re.match(r"  \w+\??  +string  ", line) and "e.g." in line]
    assert len(rows) >= 3
    assert len({cell_len(line[: line.index("e.g.")]) for line in rows if "≤" not in line}) == 1


def test_what_does_not_fit_is_indented(profile: Path) -> None:
    lines = screen(60, "doctor", "--profile", str(profile))
    assert len(lines) > 12
    assert [line for line in lines if line and not re.match(r"[✓✗·] |   ", line)] == []
