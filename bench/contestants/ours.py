"""wxpay_dsl as users have it: the typed chain, validation, default settings."""

from __future__ import annotations

import asyncio

from bench.contestants._driver import drive, settings
from wxpay_dsl import Wechatpay


async def main() -> None:
    """Calls presign."""
    told = settings()
    client = Wechatpay(
        mchid=told["mchid"],
        serial=told["serial"],
        private_key=told["private_key"],
        platform_keys={told["public_key_id"]: told["public_key"]},
        base_url=told["base_url"],
    )
    async with client as wxpay:
        presign = wxpay.v3.eduPapay.contracts.presign

        async def call() -> None:
            response = await presign.post(told["data"])
            assert response.data["presign_token"]

        await drive(call)


asyncio.run(main())
