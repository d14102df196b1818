"""The root of the command line: the table of commands, the help, and the exit code of each error."""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Final

import click

from wxpay_dsl._version import __version__
from wxpay_dsl.core.errors import SdkError

from .input.options import wants_json
from .lazy import LazyGroup

__all__ = ["COMMANDS", "program", "run"]

#: Each command as ``module:function`` below this package; the module is imported when the command is named.
COMMANDS: Final = {
    "demo": "commands.demo:demo",
    "call": "commands.call:call",
    "bulk": "bulk.command:bulk",
    "bill": "commands.bill:bill",
    "qr": "commands.qr:qr",
    "certs": "commands.certs:certs",
    "sandbox": "commands.sandbox:sandbox",
    "notify": "notify.group:notify",
    "init": "commands.init:init",
    "doctor": "commands.doctor:doctor",
    "explain": "commands.explain:explain",
    "drift": "commands.drift:drift",
    "spec": "spec.group:spec",
    "stubs": "spec.stubs:stubs",
    "docs": "commands.docs:docs",
}

_HELP = """WeChat Pay on the command line: the whole API, every call signed and verified. 微信支付命令行

\b
Examples:
  wxpay demo                                    a signed, verified call, without credentials
  wxpay spec list 退款                          find an endpoint
  wxpay spec show v3.refund.domestic.refunds    its fields and its response
  wxpay call v3.refund.domestic.refunds.post -d @refund.json --profile wxpay.toml
"""

_EPILOG = """\b
Credentials come from --profile FILE (TOML), or WXPAY_PROFILE, WXPAY_MCHID, WXPAY_SERIAL, WXPAY_PRIVATE_KEY,
WXPAY_PLATFORM_KEYS, WXPAY_APIV3_KEY in the environment; your own endpoints from the folders in WXPAY_SPECS.

\b
The shell completes commands, chains, fields and values; in ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish:
  eval "$(_WXPAY_COMPLETE=bash_source wxpay)"      eval "$(_WXPAY_COMPLETE=zsh_source wxpay)"
  _WXPAY_COMPLETE=fish_source wxpay | source

\b
Exit codes:
  0 success                                  4 invalid request or spec (参数或接口定义有误)
  1 a check found problems; a system error   5 transport: no response, or an incomplete one (网络错误)
  2 wrong usage                              6 verification or decryption failed (验签或解密失败)
  3 configuration (配置有误)                 7 refused by WeChat Pay (微信支付拒绝)

\b
With --json every command prints one JSON document on stdout: its result, or
  {"error": {"type": "OrderPaidError", "exit": 7, "text": "…", "code": "ORDERPAID", …}}
Notes and warnings go to stderr.
"""

program = LazyGroup(
    "wxpay", COMMANDS, help=_HELP, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
click.version_option(__version__, prog_name="wxpay", message="%(prog)s %(version)s")(program)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line, without the program's name, and returns its exit code."""
    warnings.showwarning = _show_warning
    # The command reports a failed call itself: do not log it as well.
    logging.getLogger("wxpay_dsl.calls").setLevel(logging.CRITICAL)
    debug = "--debug" in arguments
    if "_WXPAY_COMPLETE" in os.environ:
        from .input.shells import register

        register()
    try:
        result = program.main(list(arguments), prog_name="wxpay", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except (SdkError, click.ClickException) as error:
        if debug and not isinstance(error, click.UsageError):
            raise
        from .output.failure import report

        return report(error, as_json=wants_json(list(arguments)))
    except OSError as error:
        if debug:
            raise
        if error.errno != errno.EPIPE:
            from .output.failure import report

            return report(error, as_json=wants_json(list(arguments)))
        # The reader of our output has closed the pipe (`| head`). Redirect stdout, or Python reports the error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """Prints a warning as one line on stderr, without the source line that Python adds."""
    from .output.terminal import plain

    sys.stderr.write(f"{plain(f'warning: {message}')}\n")
