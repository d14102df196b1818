"""The lower bound: the same call, signed and verified, written by hand over aiohttp and cryptography."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.contestants._driver import drive, settings


async def main() -> None:
    """Calls presign."""
    config = settings()
    key = serialization.load_pem_private_key(config["private_key"].encode(), None)
    public_key = serialization.load_pem_public_key(config["public_key"].encode())
    assert isinstance(key, rsa.RSAPrivateKey)
    assert isinstance(public_key, rsa.RSAPublicKey)
    path = "/v3/edu-papay/contracts/presign"
    connector = aiohttp.TCPConnector(limit=100, keepalive_timeout=7)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call() -> None:
            body = json.dumps(config["data"], ensure_ascii=False, separators=(",", ":")).encode()
            timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
            message = f"POST\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
            signature = base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()
            headers = {
                "Authorization": (
                    f'WECHATPAY2-SHA256-RSA2048 mchid="{config["mchid"]}",nonce_str="{nonce}",timestamp="{timestamp}",'
                    f'serial_no="{config["serial"]}",signature="{signature}"'
                ),
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": "floor/1",
                "Wechatpay-Serial": config["public_key_id"],
            }
            async with session.post(config["base_url"] + path, data=body, headers=headers) as response:
                content = await response.read()
                signed = response.headers
            assert abs(time.time() - int(signed["Wechatpay-Timestamp"])) < 300
            verified = f"{signed['Wechatpay-Timestamp']}\n{signed['Wechatpay-Nonce']}\n".encode() + content + b"\n"
            given = base64.b64decode(signed["Wechatpay-Signature"])
            public_key.verify(given, verified, padding.PKCS1v15(), hashes.SHA256())
            assert json.loads(content)["presign_token"]

        await drive(call)


asyncio.run(main())
