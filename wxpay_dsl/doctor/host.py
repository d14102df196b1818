"""Whether a host can be reached from here: its name, the connection, TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from wxpay_dsl.core.redaction import redact_text
from wxpay_dsl.wechat.step import Step

__all__ = ["examine_host"]

#: Seconds for each of name, connection and TLS.
_PATIENCE: Final = 5.0
_SOON: Final = timedelta(days=7)


async def examine_host(origin: str, tls: ssl.SSLContext, *, spare: bool) -> AsyncIterator[Step]:
    """The steps to ``origin`` (``https://host[:port]``). A ``spare`` one that is out of reach hinders no call."""
    parts = urlsplit(origin)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    bad = None if spare else False
    role = " (备用域名)" if spare else ""
    loop = asyncio.get_running_loop()
    if not _is_address(host):
        began = loop.time()
        try:
            found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), _PATIENCE)
        except OSError as error:
            mend = "look at the resolver (/etc/resolv.conf), or set `proxy` where names are looked up by a proxy"
            text = f"{host}{role} has no address here: {_reason(error)}"
            yield Step("DNS", good=bad, text=text, mend=mend)
            return
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        text = f"{host}{role} is {', '.join(addresses[:4])} ({(loop.time() - began) * 1000:.0f} ms)"
        yield Step("DNS", good=True, text=text)
    began = loop.time()
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=tls if secure else None), 2 * _PATIENCE
        )
    except ssl.SSLCertVerificationError as error:
        mend = (
            "is this machine's clock right, and are its CA certificates current? Where a company's proxy opens TLS, "
            "give its authority as `ca`"
        )
        yield Step("TLS", good=bad, text=f"{host}{role}: {error.verify_message}", mend=mend)
        return
    except OSError as error:
        text = f"{host}:{port}{role} cannot be reached: {_reason(error)}"
        mend = "does a firewall let connections out to it? Else set `proxy`"
        yield Step("TLS" if secure else "TCP", good=bad, text=text, mend=mend)
        return
    took = (loop.time() - began) * 1000
    told: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    if told is None:
        yield Step("TCP", good=True, text=f"{host}:{port}{role} is there ({took:.0f} ms); no TLS, as it is loopback")
        return
    yield Step("TLS", good=True, text=f"{host}{role}: {told.version()}, {_ending(told)} ({took:.0f} ms)")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) and not error.strerror:
        return "no answer in time"
    return redact_text(error.strerror or str(error) or type(error).__name__)


def _ending(told: ssl.SSLObject) -> str:
    certificate = told.getpeercert() or {}
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return "its certificate is trusted"
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    soon = ", soon" if end - datetime.now(UTC) < _SOON else ""
    return f"its certificate is trusted, until {end:%Y-%m-%d}{soon}"
