"""Checks whether a host can be reached: DNS, TCP, TLS."""

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
from wxpay_dsl.diagnosis.check import Check

__all__ = ["examine_host"]

#: Timeout of DNS in seconds; TCP and TLS together have twice as long.
_TIMEOUT: Final = 5.0
_SOON: Final = timedelta(days=7)


async def examine_host(origin: str, tls: ssl.SSLContext, *, spare: bool) -> AsyncIterator[Check]:
    """The checks of ``origin`` (``https://host[:port]``). If it is ``spare``, failures are only warnings."""
    parts = urlsplit(origin)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    bad = None if spare else False
    role = " (备用域名)" if spare else ""
    loop = asyncio.get_running_loop()
    if not _is_address(host):
        began = loop.time()
        try:
            entries = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), _TIMEOUT)
        except OSError as error:
            mend = "check the resolver (/etc/resolv.conf), or set `proxy` if a proxy resolves names"
            text = f"{host}{role} cannot be resolved: {_reason(error)}"
            yield Check("DNS", good=bad, text=text, mend=mend)
            return
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        text = f"{host}{role} resolves to {', '.join(addresses[:4])} ({(loop.time() - began) * 1000:.0f} ms)"
        yield Check("DNS", good=True, text=text)
    began = loop.time()
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=tls if secure else None), 2 * _TIMEOUT
        )
    except ssl.SSLCertVerificationError as error:
        mend = (
            "check this machine's clock and its CA certificates. If a proxy intercepts TLS, give its certificate "
            "authority as `ca`"
        )
        yield Check("TLS", good=bad, text=f"{host}{role}: {error.verify_message}", mend=mend)
        return
    except OSError as error:
        text = f"{host}:{port}{role} cannot be reached: {_reason(error)}"
        mend = "check that the firewall allows connections to it, or set `proxy`"
        yield Check("TLS" if secure else "TCP", good=bad, text=text, mend=mend)
        return
    took = (loop.time() - began) * 1000
    tls_object: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    if tls_object is None:
        yield Check(
            "TCP", good=True, text=f"{host}:{port}{role} accepts connections ({took:.0f} ms); no TLS, as it is loopback"
        )
        return
    yield Check("TLS", good=True, text=f"{host}{role}: {tls_object.version()}, {_expiry(tls_object)} ({took:.0f} ms)")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError) and not error.strerror:
        return "timed out"
    return redact_text(error.strerror or str(error) or type(error).__name__)


def _expiry(tls_object: ssl.SSLObject) -> str:
    certificate = tls_object.getpeercert() or {}
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return "its certificate is trusted"
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    soon = ", soon" if end - datetime.now(UTC) < _SOON else ""
    return f"its certificate is trusted, until {end:%Y-%m-%d}{soon}"
