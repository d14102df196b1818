"""``wxpay call`` prompts for missing required fields on a terminal."""

from __future__ import annotations

import codecs
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.shell import Wxpay, environment

PRESIGN = "v3.eduPapay.contracts.presign.post"


def typed(command: list[str], answers: dict[str, str | list[str]], cwd: Path) -> tuple[int, str, str]:
    """Runs the command on a terminal and types each answer at its prompt; returns exit code, stdout and screen."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "wxpay_dsl.cli", *command],
        cwd=cwd,
        env=environment({"TERM": "xterm", "COLUMNS": "100"}),
        stdin=slave,
        stderr=slave,
        stdout=subprocess.PIPE,
    ) as process:
        os.close(slave)
        waiting = {field: [given] if isinstance(given, str) else [*given] for field, given in answers.items()}
        # A read may end in the middle of a character.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        screen, deadline = "", time.monotonic() + 200
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    read = os.read(master, 4096)
                except OSError:  # the other end is closed
                    break
                screen += decoder.decode(read)
            asked = next((field for field in waiting if screen.rpartition("\n")[2].startswith(field)), None)
            if asked is not None and waiting[asked] and screen.endswith(": "):
                os.write(master, waiting[asked].pop(0).encode() + b"\n")
                screen += "\n"
        out = process.stdout.read().decode() if process.stdout else ""
        os.close(master)
        return process.wait(), out, screen


def test_required_fields_are_asked_for_on_a_terminal(profile: Path, tmp_path: Path) -> None:
    answers = {"openid": "oUpF8uMuAJO", "plan_id": "12535", "user_id": "u1", "period_start_date": "2026-03-19"}
    answers["trade_scene"] = "EDUCATION_PERIOD"
    command = ["call", PRESIGN, "-p", "appid=wx8888888888888888", "--profile", str(profile)]
    code, out, screen = typed(command, answers, tmp_path)
    assert (code, '"presign_token"' in out) == (0, True), screen
    assert "appid" not in screen
    assert "用户标识" in screen
    assert "EDUCATION_PERIOD" in screen
    assert "sub_mchid" not in screen


def test_in_a_pipe_nothing_is_asked_for(wxpay: Wxpay, profile: Path) -> None:
    given = ("-p", "appid=wx8888888888888888", "--validate", "strict", "--profile", str(profile))
    ran = wxpay("call", PRESIGN, *given, stdin="oUpF8uMuAJO\n")
    assert ran.code == 4
    assert "body.openid: missing" in ran.err


def test_a_file_that_is_asked_for_is_sent_with_a_bar(profile: Path, tmp_path: Path) -> None:
    (tmp_path / "license.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200_000))
    command = ["call", "v3.merchant.media.upload.post", "--profile", str(profile)]
    code, out, screen = typed(command, {"file": "@license.png"}, tmp_path)
    assert (code, '"media_id"' in out) == (0, True), screen
    assert "uploading 上传中 license.png" in screen
    assert "200.0/200.0 kB" in screen
    assert "meta" not in screen


def test_what_is_no_number_is_asked_for_again(profile: Path, tmp_path: Path) -> None:
    command = ["call", "v3.pay.transactions.native.post", "-p", "appid=wx8888888888888888", "-p", "mchid=1900000109"]
    command += ["-p", "out_trade_no=ASK001", "-p", "notify_url=https://www.example.com/n", "--profile", str(profile)]
    code, out, screen = typed(command, {"description": "茶", "amount.total": ["1.5 yuan", "150"]}, tmp_path)
    assert (code, '"code_url"' in out) == (0, True), screen
    assert screen.count("a whole number, please 请输入整数") == 1
