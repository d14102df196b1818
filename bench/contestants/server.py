"""A server that needs almost no CPU: it answers every request with the same signed response, renewed every 30 seconds.

``python -m bench.contestants.server`` prints its port and its public key as JSON on one line, and serves until killed.
"""

from __future__ import annotations

import asyncio
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from wxpay_dsl.wechat.v3 import signing as signing_v3

PUBLIC_KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"
_BODY = b'{"presign_token":"0044de6c799739c2e8534b"}'
_NONCE = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"


class Responder(asyncio.Protocol):
    """One connection: requests are delimited by their Content-Length, and not examined."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Responds to each complete request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r", 1)[0]) if at >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(response(self._key))


_signed: tuple[int, bytes] = (0, b"")


def response(key: rsa.RSAPrivateKey) -> bytes:
    """The response, signed within the last 30 seconds."""
    global _signed  # noqa: PLW0603 (a cache in a program of one module)
    now = int(time.time())
    if now - _signed[0] > 30:
        signature = signing_v3.sign(signing_v3.response_message(now, _NONCE, _BODY), key)
        head = (
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(_BODY)}\r\nConnection: keep-alive\r\nRequest-ID: 08F78BB0CC0610C80218\r\n"
            f"Wechatpay-Nonce: {_NONCE}\r\nWechatpay-Timestamp: {now}\r\nWechatpay-Serial: {PUBLIC_KEY_ID}\r\n"
            f"Wechatpay-Signature: {signature}\r\nWechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\r\n\r\n"
        )
        _signed = now, head.encode() + _BODY
    return _signed[1]


async def main() -> None:
    """Runs the server until the process is killed."""
    key = rsa.generate_private_key(65537, 2048)
    server = await asyncio.get_running_loop().create_server(lambda: Responder(key), "127.0.0.1", 0)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "public_key": pem.decode()}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
