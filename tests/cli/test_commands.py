"""``wxpay demo``, ``wxpay sandbox``, and the help of all commands."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.shell import Serve, Wxpay, environment
from tests.requirements import require
from wxpay_dsl.cli.program import program


def test_the_demo_shows_a_signed_and_verified_call(wxpay: Wxpay) -> None:
    ran = wxpay("demo")
    assert (ran.code, ran.err) == (0, "")
    assert "POST /v3/edu-papay/contracts/presign\n" in ran.out
    timestamp = re.search(r"\n  ([0-9]{10})\n", ran.out)
    assert timestamp, "the canonical message has a line of its own for the timestamp"
    assert f'timestamp="{timestamp[1]}"' in ran.out
    assert re.search(r'signature="[A-Za-z0-9+/]{16}…"', ran.out), "the Authorization is shortened"
    token = re.search(r'"presign_token": "([^"]+)"', ran.out)
    assert token
    assert re.search(rf"^verified .*{re.escape(token[1])}$", ran.out, re.MULTILINE)
    assert "PUB_KEY_ID_" in ran.out


def test_a_sandbox_writes_what_a_merchant_downloads(serve: Serve, tmp_path: Path) -> None:
    with serve("--home", "home"):
        written = {path.name for path in (tmp_path / "home").iterdir()}
    assert written >= {
        "apiclient_key.pem",
        "apiclient_cert.pem",
        "apiclient_cert.p12",
        "pub_key.pem",
        "platform_cert.pem",
        "wxpay.toml",
    }


def test_a_sandbox_ends_cleanly_at_an_interrupt(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wxpay_dsl.cli", "sandbox"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"ready ")
        process.send_signal(signal.SIGINT)
        assert (process.wait(100), process.stdout.read(), process.stderr.read()) == (0, b"", b"")


def test_a_port_that_is_taken_is_said(wxpay: Wxpay, profile: Path) -> None:
    port = re.search(r"127\.0\.0\.1:([0-9]+)", profile.read_text())
    assert port
    ran = wxpay("sandbox", "--port", port[1])
    assert (ran.code, ran.out) == (2, "")
    assert port[1] in ran.err
    assert "in use" in ran.err


def test_a_sandbox_keeps_to_loopback(wxpay: Wxpay) -> None:
    ran = wxpay("sandbox", "--host", "0.0.0.0")  # noqa: S104 (what is refused)
    assert (ran.code, ran.out) == (2, "")
    assert "loopback" in ran.err


def leaves(group: click.Group = program, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that has no subcommands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*above, name))
        else:
            yield (*above, name)


@pytest.mark.parametrize("words", [(), *leaves()], ids=" ".join)
def test_every_command_has_help_with_examples(wxpay: Wxpay, words: tuple[str, ...]) -> None:
    ran = wxpay(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"Examples?:\n +(\S.*\| )?wxpay ", ran.out), ran.out
    assert not words or {"--debug", "--json"} <= {*ran.out.split()}


@pytest.mark.parametrize("group", [(), ("spec",), ("notify",)], ids=" ".join)
def test_a_list_of_commands_is_in_chinese_and_english(wxpay: Wxpay, group: tuple[str, ...]) -> None:
    listed = wxpay(*group, "--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    commands = re.findall(r"^  (\w+) +(\S+) ", listed, re.MULTILINE)
    assert len(commands) >= 2
    assert [name for name, first in commands if first.isascii()] == []


def test_help_explains_the_exit_codes(wxpay: Wxpay) -> None:
    ran = wxpay("--help")
    for code in range(8):
        assert re.search(rf"(^|\s){code} \w", ran.out), code


def test_help_loads_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    probe = (
        "import sys; from wxpay_dsl.cli.program import run; run(['--help']);"
        "print([name for name in ('aiohttp', 'cryptography', 'yaml', 'rich', 'jsonschema') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_without_its_libraries_the_command_says_how_to_install_them(tmp_path: Path) -> None:
    # None in sys.modules makes Python raise ModuleNotFoundError for the module.
    probe = "import sys; sys.modules['click'] = None; from wxpay_dsl.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False
    )
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr == "wxpay: the command line needs click: pip install 'wxpay-dsl[cli]'\n"


def test_an_unknown_command_names_the_nearest(wxpay: Wxpay) -> None:
    ran = wxpay("cal")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'call'?" in ran.err


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path) -> None:
    pipeline = f"set -o pipefail; {sys.executable} -m wxpay_dsl.cli spec list | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        [require("bash"), "-c", pipeline], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False
    )
    assert ran.stderr == ""
    assert ran.stdout.strip() in ("0", "1")
