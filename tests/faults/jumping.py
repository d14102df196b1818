"""Calls while this process's clock jumps: ``python -m tests.faults.jumping KEYS SECONDS …``, beside a ``wxpay.toml``.

Prints, for each jump, what the call ended in. The package is imported with the clock that jumps.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time

_true = time.time
_off = 0.0


def _now() -> float:
    return _true() + _off


class _Date(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> _Date:
        return cls.fromtimestamp(_now(), tz)


time.time = _now

from wxpay_dsl import SdkError, Wechatpay  # noqa: E402 (with the clock that jumps)
from wxpay_dsl.wechat.platform_keys import keyring  # noqa: E402

keyring.datetime = _Date  # type: ignore[misc]


async def main(jumps: list[float], settings: dict[str, object]) -> None:
    global _off  # noqa: PLW0603
    async with Wechatpay(profile="wxpay.toml", retries=0, certificates_minimum_interval=0.1, **settings) as wxpay:
        for jump in jumps:
            _off = jump
            try:
                told = str((await wxpay.v3.certificates.get()).status)
            except SdkError as error:
                told = type(error).__name__
            sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    asyncio.run(
        main([float(jump) for jump in sys.argv[2:]], {"platform_keys": {}} if sys.argv[1] == "certificates" else {})
    )
