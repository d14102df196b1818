"""Starts the server and the clients as processes, and sends orders to their standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.contestants.server import PUBLIC_KEY_ID

__all__ = ["PRESIGN", "Ask", "contestant", "original", "python", "serving"]

#: Sends an order to a client, and waits for its measurements.
Ask = Callable[[Mapping[str, Any]], dict[str, float]]

_HERE: Final = Path(__file__).parent
_PACKAGES: Final = _HERE.parent.parent / "tests" / "interop"
#: The body of the call that all clients make.
PRESIGN: Final = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}


@contextmanager
def serving() -> Iterator[dict[str, Any]]:
    """Runs a server; yields the settings of a client, which are the first argument of every client process."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    command = [sys.executable, "-m", "bench.contestants.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        served = json.loads(server.stdout.readline())
        try:
            yield {
                "base_url": f"http://127.0.0.1:{served['port']}",
                "public_key": served["public_key"],
                "public_key_id": PUBLIC_KEY_ID,
                "mchid": "1900000109",
                "serial": "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",
                "private_key": private.decode(),
                "data": PRESIGN,
            }
        finally:
            server.kill()


def python(name: str) -> list[str]:
    """The command of a client of this package."""
    return [sys.executable, "-m", f"bench.contestants.{name}"]


def original() -> tuple[list[str], str]:
    """The command of the JavaScript original, and the folder of its packages. Raises SystemExit if they are missing."""
    if not (_PACKAGES / "node_modules").is_dir():
        raise SystemExit(f"the original is missing: npm ci --prefix {_PACKAGES}")
    return ["node", str(_HERE / "original.mjs")], str(_PACKAGES)


@contextmanager
def contestant(command: list[str], config: Mapping[str, Any], *arguments: str) -> Iterator[Ask]:
    """Runs a client process."""
    whole = [*command, json.dumps(config), *arguments]
    with subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(order: Mapping[str, Any]) -> dict[str, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{command[-1]} ended: {process.wait()}")
            result: dict[str, float] = json.loads(line)
            return result

        try:
            yield ask
        finally:
            process.kill()
