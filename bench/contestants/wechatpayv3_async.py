"""The asynchronous client of ``wechatpayv3`` (PyPI), called by its generic request method."""

from __future__ import annotations

import asyncio
import json

from wechatpayv3.async_ import AsyncWeChatPay, WeChatPayType
from wechatpayv3.async_.core import AsyncCore, RequestType

from bench.contestants._driver import drive, settings


async def main() -> None:
    """Calls presign."""
    config = settings()
    # The base URL is an attribute that the constructor sets.
    setattr(AsyncCore, "_gate_way", property(lambda self: config["base_url"], lambda self, value: None))  # noqa: B010
    client = AsyncWeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=config["mchid"],
        private_key=config["private_key"],
        cert_serial_no=config["serial"],
        apiv3_key="0" * 32,
        appid="wx8888888888888888",
        notify_url="https://www.example.com/notify",
        public_key=config["public_key"],
        public_key_id=config["public_key_id"],
        timeout=(10, 30),
    )
    async with client as wxpay:

        async def call() -> None:
            path = "/v3/edu-papay/contracts/presign"
            _, content = await wxpay._core.request(path, method=RequestType.POST, data=config["data"])
            assert json.loads(content)["presign_token"]

        await drive(call)


asyncio.run(main())
