"""Plans a download: of a link in a response, or of an endpoint that responds with a file.

Links are requested only from WeChat Pay's own hosts and those in the setting ``hosts``, signed like any call. The file
is verified against the hash that came with the link in a signed response.

https://pay.weixin.qq.com/doc/v3/merchant/4013071246
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import evolve, frozen
from yarl import URL

from wxpay_dsl.core.chain.node import Node, node_target
from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.http.decoding import Digest
from wxpay_dsl.core.http.download import DownloadPlan
from wxpay_dsl.core.http.stream import Stream
from wxpay_dsl.core.messages import Options, RawResponse, Request
from wxpay_dsl.core.response import Response
from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.wechat.v3.statements import digest_of

from .encrypted import GcmStream, open_key

if TYPE_CHECKING:
    from wxpay_dsl.core.client import Client
    from wxpay_dsl.wechat.crypto.decryptor import Decryptor

__all__ = ["Link", "link_of", "plan"]

_OPERATION: Final = "download"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")


@frozen
class Link:
    """The URL of a file, and what is known of its contents."""

    url: str
    digest: Digest | None = None
    #: If the file is encrypted: its key, RSA-encrypted and in base64, and its nonce.
    encrypt_key: str = ""
    nonce: str = ""


async def plan(
    client: Client, source: Any, data: Any, fields: Mapping[str, Any], decryptor: Decryptor | None
) -> DownloadPlan:
    """The plan to download ``source``: an endpoint with its fields, a response or its data, or a link.

    An endpoint whose response has a ``download_url`` is called first. Raises ValidationError for a source that cannot
    be downloaded, and what a call raises.
    """
    if isinstance(source, Node):
        target = node_target(source)
        operation = target.declared.operation() if target.declared is not None else None
        returns = operation.returns if operation is not None else None
        if returns is None or not {"download_url", "download_bill_list"} & returns.properties.keys():
            return _endpoint(client, await client.prepare(target, data, fields))
        source = await client.call(target, data, fields)
    elif data is not None or fields:
        raise _refusal(
            "", "fields belong to an endpoint: give one such as wxpay.v3.bill.tradebill.get, not its response"
        )
    return await _link(client, link_of(source), decryptor)


def link_of(source: Any) -> Link:
    """The link in a response or its data, or given as a URL. Raises ValidationError if there is none, or several."""
    named = source.data if isinstance(source, Response) else source
    if isinstance(named, Mapping) and "download_url" not in named and "download_bill_list" in named:
        parts = list(named["download_bill_list"] or ())
        if len(parts) != 1:
            message = f"there are {len(parts)} files: download each of them, in the order of their bill_sequence"
            raise _refusal("download_bill_list", message)
        named = parts[0]
    if isinstance(named, str):
        return Link(named)
    if not isinstance(named, Mapping):
        kind = type(named).__name__
        raise _refusal("", f"expected an endpoint, a response that names a download_url, or that URL; got {kind}")
    url = named.get("download_url")
    if not url:
        state = next((f"; its {name} is {named[name]}" for name in _STATES if name in named), "")
        raise _refusal("download_url", f"the response names no file to download{state}")
    return Link(str(url), _digest(named), str(named.get("encrypt_key") or ""), str(named.get("nonce") or ""))


#: Fields that tell whether a file is ready.
_STATES: Final = ("state", "receipt_state", "signature_status", "proof_state")


def _digest(named: Mapping[str, Any]) -> Digest | None:
    value = named.get("hash_value")
    if not value:
        return None
    algorithm = str(named.get("hash_type") or "SHA1")
    try:
        return Digest(algorithm, str(value))
    except ValueError:
        message = f"{algorithm[:20]!r} is not a hash that Python knows here, or hash_value is not one of its values"
        raise _refusal("hash_type", message) from None


def _endpoint(client: Client, request: Request) -> DownloadPlan:
    """The plan for an endpoint that responds with the file itself."""
    operation = request.operation
    if operation is None or (operation.verify and not operation.produces):
        raise ValidationError(
            request.name, (FieldError("", "its response is signed and small: call it instead of downloading it"),)
        )

    def refused(stream: Stream, head: bytes) -> Exception | None:
        # APIv2 reports errors as XML with status 200. A bill begins with Chinese text, a zip with its magic number.
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return None
        response = RawResponse(request.name, stream.status, stream.headers, head, request.safe)
        return client.error_in_body(request, response)

    v2 = operation.dialect == "v2"
    return DownloadPlan(
        request.name,
        lambda offset: client.stream(_from(request, offset)),
        digest_of=partial(digest_of, operation) if operation.digest_header else None,
        error_in_body=refused if v2 else None,
    )


async def _link(client: Client, link: Link, decryptor: Decryptor | None) -> DownloadPlan:
    url = _address(client, link.url)
    path = urlsplit(url).path
    branch = client.tree.find(tuple(path.strip("/").split("/")))
    declared = branch.verbs.get("get") if branch is not None else None
    operation = declared.operation() if declared is not None else Operation("get", path, "v3", ())
    request = Request(
        name=f"GET {path}",
        method="GET",
        url=url,
        headers={"Accept": "*/*"},
        body=b"",
        # Responses with files are not signed; the hash comes from a signed response.
        operation=evolve(operation, verify=False),
        dialect=operation.dialect,
        sections={},
        options=Options(),
        safe=True,
    )
    cipher = None
    if link.encrypt_key:
        if decryptor is None:
            raise _refusal("encrypt_key", "the file is encrypted, and the signer of this client cannot decrypt")
        cipher = GcmStream(await open_key(link.encrypt_key, decryptor), link.nonce)

    def fetch(offset: int) -> AbstractAsyncContextManager[Stream]:
        return client.stream(_from(request, offset))

    return DownloadPlan(request.name, fetch, link.digest, cipher)


def _from(request: Request, offset: int) -> Request:
    return evolve(request, headers={**request.headers, "Range": f"bytes={offset}-"}) if offset else request


def _address(client: Client, url: str) -> str:
    """The URL to request, at the client's only origin if it has one. Raises ValidationError for another host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        permitted = parts.username is None and client.origins.permit(URL(url, encoded=True))
    except ValueError:
        raise _refusal("download_url", "is not a URL") from None
    if not _VISIBLE.match(url) or parts.fragment or not parts.path.startswith("/"):
        raise _refusal("download_url", "is not the URL of a file")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    only = client.only_origin
    if only is not None and f"{parts.scheme}://{parts.netloc}" == _origin(only):
        return url
    if not permitted:
        shown = f"{parts.scheme}://{host}"[:80]
        message = (
            f"{shown} is not a host of WeChat Pay (微信支付) and not in the setting `hosts`: nothing was signed for it "
            f"or sent to it"
        )
        raise _refusal("download_url", message)
    return (only.rstrip("/") if only is not None else f"{parts.scheme}://{parts.netloc}") + target


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(path: str, message: str) -> ValidationError:
    return ValidationError(_OPERATION, (FieldError(path, message),))
