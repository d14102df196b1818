"""Shell completion, in bash, zsh and fish themselves."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.shell import Wxpay, environment
from tests.requirements import require

pytestmark = pytest.mark.timeout(900)

PRESIGN = "v3.eduPapay.contracts.presign.post"
#: The options that start each shell without user settings, and the command that enables completion.
SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(_WXPAY_COMPLETE=bash_source wxpay)"'),
    "zsh": (["-f", "-i"], 'autoload -U compinit; compinit -u; eval "$(_WXPAY_COMPLETE=zsh_source wxpay)"'),
    "fish": (["--no-config", "-i"], "_WXPAY_COMPLETE=fish_source wxpay | source"),
}
#: Seconds that a busy machine may take for one step.
PATIENCE = 200


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("wxpay bu", ["bulk"]),
        ("wxpay call v3.eduPapay.con", ["v3.eduPapay.contracts."]),
        ("wxpay call v3.eduPapay.contracts.presign.", [PRESIGN]),
        ("wxpay call v3.no.such.", []),
        ("wxpay call v3..x", []),
        (f"wxpay call {PRESIGN} -p trade", ["trade_scene="]),
        ("wxpay call v3.pay.transactions.native.post -p amount", ["amount.total=", "amount.currency="]),
        (f"wxpay call {PRESIGN} -p trade_scene=", ["trade_scene=EDUCATION_PERIOD"]),
        ("wxpay call v3.pay.transactions.native.post -p support_fapiao=t", ["support_fapiao=true"]),
        ("wxpay call v3.merchant.media.upload.post -p file=@li", ["file=@license.png"]),
        ("wxpay call v3.pay.transactions.native.post -d @o", ["@orders/"]),
        ("wxpay notify send REFUND.A", ["REFUND.ABNORMAL"]),
        ("wxpay explain --body @li", ["@license.png"]),
        ("wxpay call v3.pay.transactions.native.post -d @orders/", ["@orders/first.json"]),
    ],
)
def test_chains_fields_values_and_files_are_offered(
    line: str, offered: list[str], wxpay: Wxpay, tmp_path: Path
) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "first.json").write_text("{}")
    (tmp_path / "license.png").write_bytes(b"")
    ran = wxpay(env={"_WXPAY_COMPLETE": "zsh_complete", "COMP_LINE": line})
    assert [each.split("\t")[1] for each in ran.out.splitlines() if each] == offered, ran.err


def test_a_field_is_offered_with_its_title(wxpay: Wxpay) -> None:
    env = {"_WXPAY_COMPLETE": "zsh_complete", "COMP_LINE": f"wxpay call {PRESIGN} -p plan"}
    assert wxpay(env=env).out == "open\tplan_id=\t签约模板号\n"


@contextmanager
def terminal(command: list[str], folder: Path) -> Iterator[Callable[[str, str], str]]:
    """Runs a shell on a terminal; yields ``type(text, until)``, which types and returns the output up to ``until``."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "wxpay").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wxpay_dsl.cli "$@"\n')
    (programs / "wxpay").chmod(0o755)
    own = environment({"TERM": "xterm", "PS1": "$ ", "HOME": str(folder), "COLUMNS": "150"})
    own["PATH"] = f"{programs}{os.pathsep}{own['PATH']}"
    master, slave = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=own,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (no thread runs beside)
    ) as process:
        os.close(slave)

        def type_in(text: str, until: str) -> str:
            os.write(master, text.encode())
            screen, deadline = "", time.monotonic() + PATIENCE
            while until not in screen:
                assert time.monotonic() < deadline, f"{until!r} never came: {screen!r}"
                if select.select([master], [], [], 0.1)[0]:
                    screen += os.read(master, 4096).decode("utf-8", "replace")
            return screen

        try:
            yield type_in
        finally:
            process.kill()
            process.wait()
            os.close(master)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_what_is_begun(shell: str, tmp_path: Path) -> None:
    program = require(shell)
    (tmp_path / "presign.json").write_text("{}")
    options, learn = SHELLS[shell]
    with terminal([program, *options], tmp_path) as type_in:
        type_in(f"{learn}; echo REA''DY\n", "READY")
        # No space is added after a dot or an equals sign: the text that is typed next continues the word.
        type_in("echo begun\n", "begun")
        type_in("wxpay call v3.eduPapay.con\t", "tracts.")
        type_in("pres\t", "ign.")
        type_in("\t", "post")
        type_in("-p trade\t", "scene=")
        type_in("\t", "EDUCATION_PERIOD")
        type_in("-d @pre\t", "sign.json")
        # Pass the completed line to printf as its arguments.
        screen = type_in("\x01printf '[%s]' \n", "[@presign.json]")
    assert f"[wxpay][call][{PRESIGN}][-p][trade_scene=EDUCATION_PERIOD][-d][@presign.json]" in screen
