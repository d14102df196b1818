"""Errors as a person reads them, one panel on stderr, and as a script does: an exit code, and JSON where it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click
from attrs import asdict, fields, has
from rich.cells import cell_len
from rich.panel import Panel
from rich.text import Text

from wxpay_dsl.core.errors import SdkError, ServiceError, ValidationError

from .terminal import stderr, write_json

__all__ = ["report"]

#: Characters of a line of an error that are shown.
_LONGEST: Final = 2000

#: The kinds of error by the names of their classes, the exit code and title of each; the first that fits counts. Names,
#: since importing all these classes would load all that may raise them.
_KINDS: Final = (
    # Of the machine: a disk that is full, a folder that may not be written.
    (("OSError",), 1, "the system 系统错误"),
    (("ClickException",), 2, "usage 用法有误"),
    (("ConfigurationError",), 3, "configuration 配置有误"),
    (("ValidationError", "EncryptionError"), 4, "invalid request 请求参数有误"),
    (("UndeclaredPathError",), 4, "undeclared path 未声明的接口"),
    (("SpecError",), 4, "spec 接口定义有误"),
    (("TransportError", "ClosedError", "KeyStoreError", "SignerError"), 5, "transport 网络错误"),
    (("SignatureError",), 6, "signature 验签失败"),
    (("NotificationError", "DecryptionError", "PlatformCertificatesError"), 6, "not to be believed 验签或解密失败"),
    (("ServiceError",), 7, "refused by WeChat Pay 微信支付拒绝"),
)


def report(error: SdkError | click.ClickException | OSError, *, as_json: bool = False) -> int:
    """Shows the error and gives the exit code of its kind; 1 for one of no kind."""
    names = {kind.__name__ for kind in type(error).__mro__}
    code, title = next(((code, title) for kinds, code, title in _KINDS if names & {*kinds}), (1, "error 错误"))
    if as_json:
        write_json({"error": {"type": type(error).__name__, "exit": code, **_told(error)}})
        return code
    lines = [_bounded(line) for line in _lines(error)]
    subtitle = f"{type(error).__name__} · exit {code}"
    # A panel is as wide as its text, and cuts what stands in its frame to that.
    widest = max(cell_len(line) for text in (*lines, f"{title}    ", f"{subtitle}    ") for line in text.split("\n"))
    stderr().print(
        Panel(
            Text("\n".join(lines)),
            title=Text(title, style="bold red"),
            title_align="left",
            subtitle=Text(subtitle, style="dim"),
            subtitle_align="right",
            border_style="red",
            width=min(stderr().width, widest + 4),
        )
    )
    return code


def _bounded(line: str) -> str:
    """A line of an error, cut: what was given for a file's name may be the whole content of one."""
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} … ({len(line)} characters)"


def _told(error: SdkError | click.ClickException | OSError) -> dict[str, Any]:
    """``text``, the whole in a sentence, and the fields of the error by their names."""
    if isinstance(error, click.ClickException):
        return {"text": _bounded(error.format_message())}
    told: dict[str, Any] = {"text": _bounded(str(error))}
    kind = type(error)
    for name in [each.name for each in fields(kind)] if has(kind) else []:
        value = getattr(error, name)
        if name == "body":  # all of it, where the service's own words are not in it
            value = None if getattr(error, "code", "") else value.decode("utf-8", "replace")
        elif name == "faults":
            value = [asdict(fault) for fault in value]
        elif isinstance(value, str):
            value = _bounded(value)
        if name != "headers" and value not in (None, "", (), told["text"]):
            told[name] = value
    return told


def _lines(error: SdkError | click.ClickException | OSError) -> Iterator[str]:
    if isinstance(error, ValidationError):
        yield error.operation
        yield from (f"  • {fault}" for fault in error.faults)
        yield "Nothing was sent. 请求未发出。"
    elif isinstance(error, ServiceError):
        yield error.operation
        status = f"{error.status} {error.code}".rstrip()
        yield f"  {status}" + (f": {error.message}" if error.message else "")
        if not error.code and not error.message:
            yield f"  {error.body[:500].decode('utf-8', 'replace') or '(an empty body)'}"
        if error.detail:
            yield from _detail(error.detail)
        if error.request_id:
            yield f"  Request-ID: {error.request_id}"
        if error.hint:
            yield error.hint
    elif isinstance(error, click.ClickException):
        yield error.format_message()
        context = error.ctx if isinstance(error, click.UsageError) else None
        if context is not None:
            yield context.get_usage()
            yield f"Try `{context.command_path} --help`."
    else:
        yield str(error)


def _detail(detail: object) -> Iterator[str]:
    if isinstance(detail, dict):
        for name, value in detail.items():
            yield f"  {name}: {value}"
    else:
        yield f"  {detail}"
