"""The fixture `wxpay_sandbox` in the tests of another project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wxpay_dsl

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

ROOT = Path(wxpay_dsl.__file__).parent.parent

pytest_plugins = "pytester"

ORDER = """
import asyncio
import urllib.request

ORDER = dict(
    appid="wx8888888888888888", description="茶", out_trade_no="A1", notify_url="http://127.0.0.1/", amount={"total": 1}
)

async def place(sandbox):
    order = await sandbox.client.v3.pay.transactions.native.post(mchid=sandbox.merchant.mchid, **ORDER)
    return order.data["code_url"]
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package importable, from a checkout that is not installed too."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run(pytester: pytest.Pytester, code: str) -> pytest.RunResult:
    pytester.makepyfile(ORDER + code)
    # An event loop or a socket that is not closed is an error.
    return pytester.runpytest_subprocess(
        *(
            "-p",
            "wxpay_dsl.sandbox.pytest_plugin",
            "-W",
            "error",
            "-o",
            "asyncio_mode=auto",
            "-o",
            "asyncio_default_fixture_loop_scope=function",
            "--strict-markers",
        ),
        timeout=250,
    )


def test_client_and_server_in_one_line(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
async def test_async(wxpay_sandbox):
    paid = wxpay_sandbox.control.pay(await place(wxpay_sandbox))
    assert paid["state"] == "SUCCESS"

def test_sync(wxpay_sandbox):
    assert wxpay_sandbox.control.list("transactions") == [], "nothing of the test before"
    paid = wxpay_sandbox.control.pay(asyncio.run(place(wxpay_sandbox)))
    assert paid["total"] == 1
""",
    )
    result.assert_outcomes(passed=2)


def test_a_marker_makes_another_sandbox(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import pytest

@pytest.mark.wxpay_sandbox(mode="certificate", mchid="1900000555")
def test_own(wxpay_sandbox):
    assert wxpay_sandbox.merchant.mchid == "1900000555"
    assert not next(iter(wxpay_sandbox.credentials["platform_keys"])).startswith("PUB_KEY_ID_")

def test_shared(wxpay_sandbox):
    assert next(iter(wxpay_sandbox.credentials["platform_keys"])).startswith("PUB_KEY_ID_")
""",
    )
    result.assert_outcomes(passed=2)


def test_what_a_test_has_broken_is_whole_for_the_next(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import pytest

@pytest.mark.parametrize("turn", [1, 2])
async def test_faults(wxpay_sandbox, turn):
    assert wxpay_sandbox.control.faults.rules == []
    assert await place(wxpay_sandbox)
    wxpay_sandbox.control.faults.add("bad-signature")
    wxpay_sandbox.control.advance_clock(3600)
    with pytest.raises(Exception, match="signature"):
        await place(wxpay_sandbox)
""",
    )
    result.assert_outcomes(passed=2)


def test_a_run_that_does_not_want_it_does_not_pay_for_it() -> None:
    code = (
        "import sys; before = set(sys.modules); import wxpay_dsl.sandbox.pytest_plugin;"
        "print([name for name in ('aiohttp', 'cryptography', 'yaml', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
