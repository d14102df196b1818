"""Checks with signed calls to the service: the clock, the signature, the mode, and each platform key.

The call is ``GET /v3/certificates``, which changes nothing. In certificate mode it returns the certificates, in
public-key mode an error; both responses are signed, which proves the platform key.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.errors import SdkError, ServiceError, on_one_line
from wxpay_dsl.core.http.transport import Handler
from wxpay_dsl.core.messages import Exchange, RawResponse
from wxpay_dsl.diagnosis.check import Check
from wxpay_dsl.settings.settings import Settings
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id
from wxpay_dsl.wechat.crypto.signer import Credential
from wxpay_dsl.wechat.errors import VerificationError
from wxpay_dsl.wechat.platform_keys.certificates import PlatformCertificatesError, decrypt_certificates
from wxpay_dsl.wechat.platform_keys.download import certificate_request
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.v3.errors import SignError, explain_refusal, refusal_v3
from wxpay_dsl.wechat.v3.middleware import SERIAL, sign_request
from wxpay_dsl.wechat.v3.verification import CLOCK_WINDOW, check_signature, read_headers
from wxpay_dsl.wiring.client import Shared, certificates_url

__all__ = ["examine_service"]

#: Difference of clocks in seconds that is not worth a warning.
_TOLERATED: Final = 5.0
#: Maximum number of platform keys that are checked.
_KEYS: Final = 4
_NTP: Final = "set this machine's clock by NTP (timedatectl set-ntp true)"
_NOT_WECHAT_PAY: Final = "the response may not be from WeChat Pay: check `base_url` and `proxy`"
#: Status and code of the response for a merchant in public-key mode.
_NO_CERTIFICATES: Final = ((404, "RESOURCE_NOT_EXISTS"), (500, "SYSTEM_ERROR"))
_PUBLIC_KEY_SOURCE: Final = (
    "pub_key.pem and its id are on the merchant platform (pay.weixin.qq.com > 账户中心 > API安全 > 微信支付公钥)"
)


async def examine_service(settings: Settings, tree: Tree) -> AsyncIterator[Check]:
    """The checks of one signed call for each platform key of ``settings``, or of one call if there are none."""
    shared = Shared.of(settings)
    url = certificates_url(settings, tree)
    wanted = [key.id for key in settings.keys][:_KEYS]
    try:
        began = time.time()
        try:
            exchange = await _send(shared, settings, url, wanted[0] if wanted else "")
        except SdkError as error:
            yield Check("service", good=False, text=str(error))
            return
        for check in _clock(exchange.received, (began + time.time()) / 2):
            yield check
        refused = _refused(exchange)
        if refused is not None:
            yield refused
            return
        foreign = _foreign(exchange.received)
        if foreign is not None:
            yield foreign
            return
        yield Check(
            "signature", good=True, text="the service accepts it: merchant, serial and private key belong together"
        )
        brought, steps = _mode(exchange.received, settings)
        for check in steps:
            yield check
        known = PlatformKeys([*brought, *settings.keys])
        yield _platform_key(exchange.received, wanted[0] if wanted else "", known)
        for key_id in wanted[1:]:
            try:
                response = (await _send(shared, settings, url, key_id)).received
            except SdkError as error:
                yield Check("platform key", good=False, text=f"{key_id}: {error}")
            else:
                yield _platform_key(response, key_id, known)
    finally:
        await shared.close()


async def _send(shared: Shared, settings: Settings, url: str, wanted: str) -> Exchange:
    """Sends a signed request. Its response is complete but not verified. Raises TransportError, SignerError."""
    exchange = Exchange(certificate_request(url))
    credential = Credential(settings.mchid, settings.serial, settings.signer, settings.origins)

    async def sign(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if wanted:
            wire.headers[SERIAL] = wanted
        await sign_request(exchange, wire, credential)
        return await handler(wire)

    await shared.transport.send(exchange, (sign,), settings.timeout)
    return exchange


def _clock(response: RawResponse, here: float) -> Iterator[Check]:
    try:
        there = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        yield Check("clock", good=None, text="the response has no Date header to compare this machine's clock with")
        return
    # Date is truncated to whole seconds.
    ahead = here - there - 0.5
    way = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the service's"
    if abs(ahead) <= _TOLERATED:
        yield Check("clock", good=True, text="it agrees with the service's")
    elif abs(ahead) <= CLOCK_WINDOW:
        yield Check("clock", good=None, text=f"it is {way}; up to {CLOCK_WINDOW} s are accepted", mend=_NTP)
    else:
        text = f"it is {way}, more than the accepted {CLOCK_WINDOW} s: every call is refused"
        yield Check("clock", good=False, text=text, mend=_NTP)


def _refused(exchange: Exchange) -> Check | None:
    """The check of a response that refuses the signature, or is not from WeChat Pay."""
    response = exchange.received
    if response.status == 200:
        return None
    error = explain_refusal(exchange, refusal_v3(None, response))
    if not isinstance(error, ServiceError) or not error.code:
        return Check("service", good=False, text=str(error), mend=_NOT_WECHAT_PAY)
    refusal = f"{error.code:.40}: {error.message:.200}"
    if isinstance(error, SignError) or response.status == 401:
        return Check("signature", good=False, text=f"the service refuses it, {refusal}", mend=error.hint)
    if (response.status, error.code) in _NO_CERTIFICATES:
        return None
    # A rate limit, maintenance, or an IP address that is not allowed: unrelated to the keys.
    text = f"HTTP {response.status}, {refusal}: this does not show whether the signature is accepted"
    later = response.status == 429 or response.status >= 500
    mend = error.hint or ("run this again later" if later else "")
    return Check("service", good=None if later else False, text=text, mend=mend)


def _foreign(response: RawResponse) -> Check | None:
    """The check of a response of status 200 that has no certificates, such as a page of a proxy."""
    if response.status != 200:
        return None
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        return None
    kind = response.headers.get("Content-Type", "no type")
    begins = response.body[:60].decode("utf-8", "replace")
    text = on_one_line(f"HTTP 200, but without certificates: {kind[:60]}, {len(response.body)} bytes: {begins!r}")
    return Check("service", good=False, text=text, mend=_NOT_WECHAT_PAY)


def _mode(response: RawResponse, settings: Settings) -> tuple[tuple[PlatformKey, ...], list[Check]]:
    """The certificates in the response, and the checks of the mode and the APIv3 key."""
    public = any(is_public_key_id(key.id) for key in settings.keys)
    if response.status != 200:
        error = refusal_v3(None, response)
        code = f"{error.status} {error.code}" if isinstance(error, ServiceError) else ""
        text = f"public key (微信支付公钥): the service has no platform certificates for this merchant ({code})"
        steps = [Check("mode", good=public, text=text, mend="" if public else _PUBLIC_KEY_SOURCE)]
        if settings.apiv3_key is not None:
            text = "not checked, as nothing is encrypted here; the first notification will show whether it is right"
            steps.append(Check("APIv3 key", good=None, text=text))
        return (), steps
    text = "certificate (平台证书): the service has certificates for this merchant"
    if public:
        text = "both: the profile has a public key (微信支付公钥), and the service has certificates too (平台证书)"
    steps = [Check("mode", good=True, text=text)]
    if settings.apiv3_key is None:
        mend = "give `apiv3_key` (APIv3密钥), so that certificates can be downloaded and renewed"
        steps.append(Check("APIv3 key", good=None, text="without it the certificates cannot be decrypted", mend=mend))
        return (), steps
    try:
        keys = decrypt_certificates(response.body, settings.apiv3_key)
    except PlatformCertificatesError as error:
        steps.append(_unusable(error))
        return (), steps
    shown = ", ".join(f"{key.id} until {key.not_after:%Y-%m-%d}" for key in keys if key.not_after is not None)
    steps.append(Check("APIv3 key", good=True, text=f"it decrypts the certificates: {shown}"))
    return keys, steps


def _unusable(error: PlatformCertificatesError) -> Check:
    """The check of certificates that cannot be used. Only a failed decryption concerns the APIv3 key."""
    if not error.undecryptable:
        return Check(
            "certificates",
            good=False,
            text=f"the certificates in the response cannot be read: {error}",
            mend=_NOT_WECHAT_PAY,
        )
    text = f"the certificates cannot be decrypted with it: {error}"
    mend = (
        "compare it with the one that other programs use. The merchant platform does not show it; setting "
        "a new one (API安全 > APIv3密钥) invalidates the old one for all programs of this merchant"
    )
    return Check("APIv3 key", good=False, text=text, mend=mend)


def _platform_key(response: RawResponse, wanted: str, known: PlatformKeys) -> Check:
    """The check of the signature of a response, with the platform keys at hand."""
    if "Wechatpay-Signature" not in response.headers and response.status != 200:
        which = f" ({wanted})" if wanted else ""
        text = f"not checked, as this response is not signed{which}; the first call will check it"
        return Check("platform key", good=None, text=text)
    try:
        signed = read_headers(response.headers, response.name)
    except VerificationError as error:
        return Check("platform key", good=False, text=str(error))
    key = known.get(signed.serial)
    if key is None:
        have = ", ".join(each.id for each in known) or "none"
        text = f"the service signs with {signed.serial[:80]}, which is not configured (configured: {have})"
        mend = (
            _PUBLIC_KEY_SOURCE
            if is_public_key_id(signed.serial)
            else "give `apiv3_key`, so that the certificates are downloaded"
        )
        return Check("platform key", good=False, text=text, mend=mend)
    try:
        check_signature(signed, response.body, key, response.name, headers=response.headers)
    except VerificationError as error:
        mend = f"the key configured for {key.id} is another one: {_PUBLIC_KEY_SOURCE}"
        return Check("platform key", good=False, text=str(error), mend=mend)
    if wanted and key.id != wanted and is_public_key_id(wanted):
        text = f"{wanted} was requested, but the service signed with {key.id}: it does not know that id"
        return Check("platform key", good=None, text=text, mend=_PUBLIC_KEY_SOURCE)
    return Check("platform key", good=True, text=f"the response is signed by {key.id}, and the signature is valid")
