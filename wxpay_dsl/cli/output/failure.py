"""Reports an error as a panel on stderr, or as JSON on stdout, and assigns its exit code."""

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

__all__ = ["ERROR_KINDS", "report"]

#: Characters of a line of an error that are shown.
_MAX_LINE: Final = 2000

#: ``(names of classes, exit code, title)`` of each kind of error; the first entry that names a class of the error's MRO
#: applies. Names instead of classes, since importing the classes would import the modules that raise them.
ERROR_KINDS: Final = (
    # A full disk, a folder without write permission.
    (("OSError",), 1, "the system 系统错误"),
    (("ClickException",), 2, "usage 用法有误"),
    (("ConfigurationError",), 3, "configuration 配置有误"),
    (("ValidationError", "EncryptionError"), 4, "invalid request 请求参数有误"),
    (("UndeclaredPathError",), 4, "undeclared path 未声明的接口"),
    (("SpecError",), 4, "spec 接口定义有误"),
    (("TransportError", "ClosedError", "KeyStoreError", "SignerError"), 5, "transport 网络错误"),
    (("VerificationError",), 6, "signature 验签失败"),
    (("NotificationError", "DecryptionError", "PlatformCertificatesError"), 6, "not verified 验签或解密失败"),
    (("ServiceError",), 7, "refused by WeChat Pay 微信支付拒绝"),
)


def report(error: SdkError | click.ClickException | OSError, *, as_json: bool = False) -> int:
    """Prints the error and returns its exit code, 1 if ``ERROR_KINDS`` does not list it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    code, title = next(((code, title) for kinds, code, title in ERROR_KINDS if names & {*kinds}), (1, "error 错误"))
    if as_json:
        write_json({"error": {"type": type(error).__name__, "exit": code, **_as_data(error)}})
        return code
    lines = [_truncated(line) for line in _lines(error)]
    subtitle = f"{type(error).__name__} · exit {code}"
    # The panel is as wide as its widest line, or as its title or subtitle, which it would cut otherwise.
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


def _truncated(line: str) -> str:
    """The line, cut to ``_MAX_LINE`` characters: a setting for a file name may hold the content of a file."""
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]} … ({len(line)} characters)"


def _as_data(error: SdkError | click.ClickException | OSError) -> dict[str, Any]:
    """The error for JSON: ``text``, the whole message, and the fields of its class by their names."""
    if isinstance(error, click.ClickException):
        return {"text": _truncated(error.format_message())}
    data: dict[str, Any] = {"text": _truncated(str(error))}
    kind = type(error)
    for name in [each.name for each in fields(kind)] if has(kind) else []:
        value = getattr(error, name)
        if name == "body":  # only of a response without an error code: else `detail` and `message` hold its content
            value = None if getattr(error, "code", "") else value.decode("utf-8", "replace")
        elif name == "errors":
            value = [asdict(error) for error in value]
        elif isinstance(value, str):
            value = _truncated(value)
        if name != "headers" and value not in (None, "", (), data["text"]):
            data[name] = value
    return data


def _lines(error: SdkError | click.ClickException | OSError) -> Iterator[str]:
    if isinstance(error, ValidationError):
        yield error.operation
        yield from (f"  • {field_error}" for field_error in error.errors)
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
