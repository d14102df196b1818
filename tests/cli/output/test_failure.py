"""Every error class of the package has a documented exit code."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

import wxpay_dsl
from wxpay_dsl.cli.output import failure
from wxpay_dsl.core.errors import SdkError

#: Errors that no command can raise: of notification stores, of bills that are parsed by a program …
ELSEWHERE = {
    "AuthorizationError",
    "BillFormatError",
    "ClaimLostError",
    "StoreUnavailableError",
    "XmlError",
}


def classes() -> Iterator[type[SdkError]]:
    for module in pkgutil.walk_packages(wxpay_dsl.__path__, "wxpay_dsl."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    waiting: list[type[SdkError]] = [SdkError]
    while waiting:
        # Classes of the package only: tests may define others.
        found = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("wxpay_dsl.")]
        waiting += found
        yield from found


def test_every_error_has_an_exit_code() -> None:
    known = {name for names, _, _ in failure.ERROR_KINDS for name in names}
    without = {
        kind.__name__
        for kind in classes()
        if not known & {above.__name__ for above in kind.__mro__} and kind.__name__ not in ELSEWHERE
    }
    assert without == set()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (click.UsageError("no such thing"), 2, "no such thing"),
        (wxpay_dsl.ConfigurationError("a key is missing"), 3, "a key is missing"),
        (wxpay_dsl.UndeclaredPathError("GET /v3/x", "/v3/y"), 4, "/v3/y"),
        (wxpay_dsl.RequestTimeoutError("POST /v3/x", "too late", outcome_unknown=True), 5, "the outcome is unknown"),
        (wxpay_dsl.BadSignatureError("POST /v3/x", "forged"), 6, "forged"),
        (wxpay_dsl.OrderPaidError("POST /v3/x", 400, "ORDERPAID", "已支付", {"issue": "[bold]"}), 7, "issue: [bold]"),
        (wxpay_dsl.ServiceError("POST /v3/x", 502, body="<html>出错</html>".encode()), 7, "<html>出错</html>"),
    ],
)
def test_a_panel_says_what_happened(
    error: SdkError | click.ClickException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failure.stderr.cache_clear()
    assert failure.report(error) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert f"{type(error).__name__} · exit {code}" in printed.err
    failure.stderr.cache_clear()


def test_a_line_of_an_error_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting for a file name may hold the content of a file."""
    failure.stderr.cache_clear()
    picture = "iVBORw0KGgo" * 24_000
    for error in (wxpay_dsl.ConfigurationError(f"{picture}: no such file"), click.UsageError(f"--out {picture}: no")):
        failure.report(error)
        assert len(capsys.readouterr().err) < 20_000
        failure.report(error, as_json=True)
        printed = capsys.readouterr().out
        assert len(printed) < 3_000
        assert f"({len(str(error))} characters)" in printed
