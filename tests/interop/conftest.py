"""Third-party clients, run unmodified against the sandbox.

The JavaScript original comes from npm (``npm ci --prefix tests/interop``), the others with the extra ``test``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require
from wxpay_dsl.sandbox import Sandbox

HERE = Path(__file__).parent
Scenario = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
def node() -> str:
    require("npm packages")
    return require("node")


@pytest.fixture(params=["public-key", "certificate"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox in each of the platform's two modes, its home written."""
    async with Sandbox(mode=request.param) as serving:
        serving.write_home(tmp_path / "home")
        yield serving


async def run(*command: str, stdin: str = "", env: dict[str, str] | None = None) -> tuple[str, str]:
    """What a command prints, to stdout and to stderr; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        cwd=HERE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode == 0, err.decode()
    return out.decode(), err.decode()


@pytest.fixture
def javascript(node: str, sandbox: Sandbox, tmp_path: Path) -> Scenario:
    """Runs one of the original's scenarios against the sandbox."""

    async def scenario(name: str, env: dict[str, str] | None = None, **more: Any) -> Any:
        settings = {**settings_of(sandbox, tmp_path / "home"), **more}
        out, _ = await run(node, str(HERE / "javascript" / "scenarios.cjs"), name, stdin=json.dumps(settings), env=env)
        return json.loads(out)

    return scenario


def settings_of(sandbox: Sandbox, home: Path) -> dict[str, Any]:
    """What the original's constructor takes, from the sandbox's home."""
    by_key = sandbox.platform.mode == "public-key"
    pair = sandbox.platform.public_key if by_key else sandbox.platform.certificates[-1]
    return {
        "baseURL": sandbox.url,
        "home": str(home),
        "mchid": sandbox.merchant.mchid,
        "serial": sandbox.merchant.serial,
        "apiv2_key": sandbox.merchant.apiv2_key,
        "apiv3Key": sandbox.merchant.apiv3_key,
        "platformSerial": pair.id,
        "platformFile": "pub_key.pem" if by_key else "platform_cert.pem",
    }


@pytest.fixture
async def javascript_tls(node: str, tmp_path: Path) -> AsyncIterator[Scenario]:
    """Runs one of the original's scenarios against a sandbox that serves https and asks for client certificates."""
    async with Sandbox(mode="public-key", tls=True) as serving:
        home = tmp_path / "home"
        serving.write_home(home)
        (tmp_path / "ca.pem").write_text(serving.credentials["ca"], "ascii")

        async def scenario(name: str, **more: Any) -> Any:
            settings = {**settings_of(serving, home), **more}
            env = {"NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem")}
            out, _ = await run(
                node, str(HERE / "javascript" / "scenarios.cjs"), name, stdin=json.dumps(settings), env=env
            )
            return json.loads(out)

        yield scenario
