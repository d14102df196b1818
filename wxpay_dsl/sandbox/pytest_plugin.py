"""The pytest plugin: the fixture ``wxpay_sandbox``, a running sandbox and a client of it.

::

    async def test_an_order_is_paid(wxpay_sandbox):
        order = await wxpay_sandbox.client.v3.pay.transactions.native.post(...)
        wxpay_sandbox.control.pay(order.data["code_url"])

It is a :class:`~wxpay_dsl.sandbox.background.BackgroundSandbox`: one server for the whole run, reset before each test.
``@pytest.mark.wxpay_sandbox(mode="certificate", …)`` starts a separate one for a test, with these arguments of
:class:`~wxpay_dsl.sandbox.Sandbox`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .background import BackgroundSandbox

# Every run of pytest imports this module where the package is installed, so it imports nothing else at its top.

__all__ = ["pytest_configure", "wxpay_sandbox", "wxpay_sandbox_server"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker ``wxpay_sandbox``."""
    config.addinivalue_line(
        "markers",
        "wxpay_sandbox(**options): a separate sandbox for the test, with these arguments of wxpay_dsl.sandbox.Sandbox",
    )


@pytest.fixture(scope="session")
def wxpay_sandbox_server() -> Iterator[BackgroundSandbox]:
    """The server that the tests of a run share; use ``wxpay_sandbox``."""
    from .background import BackgroundSandbox

    with BackgroundSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def wxpay_sandbox(request: pytest.FixtureRequest) -> Iterator[BackgroundSandbox]:
    """A sandbox without records, and a client of it: ``.client``, ``.control``, ``.credentials``, ``.url``."""
    marker = request.node.get_closest_marker("wxpay_sandbox")
    if marker is None:
        sandbox: BackgroundSandbox = request.getfixturevalue("wxpay_sandbox_server")
        sandbox.reset()
        yield sandbox
        return
    from .background import BackgroundSandbox

    with BackgroundSandbox(**marker.kwargs) as own:
        yield own
