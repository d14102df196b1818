"""wxpay_dsl as users use it: the chain, validation, and default settings."""

from __future__ import annotations

import asyncio

from bench.contestants._driver import drive, settings
from wxpay_dsl import Wechatpay


async def main() -> None:
    """Calls presign."""
    config = settings()
    client = Wechatpay(
        mchid=config["mchid"],
        serial=config["serial"],
        private_key=config["private_key"],
        platform_keys={config["public_key_id"]: config["public_key"]},
        base_url=config["base_url"],
    )
    async with client as wxpay:
        presign = wxpay.v3.eduPapay.contracts.presign

        async def call() -> None:
            response = await presign.post(config["data"])
            assert response.data["presign_token"]

        await drive(call)


asyncio.run(main())
