"""What the service makes of a signed call: the clock, the signature, the mode, and each platform key.

The call is ``GET /v3/certificates``, which changes nothing. In certificate mode it gives the certificates, in
public-key mode an error; either is signed, so that the platform's keys are proven by it.
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

#: Seconds that two clocks may differ by without a word.
_NEARLY: Final = 5.0
#: Platform keys that are asked for one by one.
_KEYS: Final = 4
_NTP: Final = "set this machine's clock by NTP (timedatectl set-ntp true)"
_SOMEBODY: Final = "was it WeChat Pay that answered? Look at `base_url` and `proxy`"
#: How the service says that a merchant is in public-key mode.
_NO_CERTIFICATES: Final = ((404, "RESOURCE_NOT_EXISTS"), (500, "SYSTEM_ERROR"))
_TAKE: Final = (
    "pub_key.pem and its id are on the merchant platform (pay.weixin.qq.com > 账户中心 > API安全 > 微信支付公钥)"
)


async def examine_service(settings: Settings, tree: Tree) -> AsyncIterator[Check]:
    """The steps of one signed call for each platform key of ``settings``, and of one without any."""
    shared = Shared.of(settings)
    url = certificates_url(settings, tree)
    wanted = [key.id for key in settings.keys][:_KEYS]
    try:
        began = time.time()
        try:
            exchange = await _ask(shared, settings, url, wanted[0] if wanted else "")
        except SdkError as error:
            yield Check("service", good=False, text=str(error))
            return
        for step in _clock(exchange.received, (began + time.time()) / 2):
            yield step
        refused = _refused(exchange)
        if refused is not None:
            yield refused
            return
        stranger = _stranger(exchange.received)
        if stranger is not None:
            yield stranger
            return
        yield Check(
            "signature", good=True, text="the service takes it: merchant, serial and private key belong together"
        )
        brought, steps = _mode(exchange.received, settings)
        for step in steps:
            yield step
        known = PlatformKeys([*brought, *settings.keys])
        yield _platform_key(exchange.received, wanted[0] if wanted else "", known)
        for key_id in wanted[1:]:
            try:
                answer = (await _ask(shared, settings, url, key_id)).received
            except SdkError as error:
                yield Check("platform key", good=False, text=f"{key_id}: {error}")
            else:
                yield _platform_key(answer, key_id, known)
    finally:
        await shared.close()


async def _ask(shared: Shared, settings: Settings, url: str, wanted: str) -> Exchange:
    """One signed request, whose answer is whole and not yet believed. Raises TransportError, SignerError."""
    exchange = Exchange(certificate_request(url))
    credential = Credential(settings.mchid, settings.serial, settings.signer, settings.origins)

    async def sign(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if wanted:
            wire.headers[SERIAL] = wanted
        await sign_request(exchange, wire, credential)
        return await handler(wire)

    await shared.transport.send(exchange, (sign,), settings.timeout)
    return exchange


def _clock(answer: RawResponse, here: float) -> Iterator[Check]:
    try:
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        yield Check("clock", good=None, text="the answer has no Date to compare this machine's clock with")
        return
    # Date is in whole seconds, cut off.
    ahead = here - there - 0.5
    way = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the service's"
    if abs(ahead) <= _NEARLY:
        yield Check("clock", good=True, text="it agrees with the service's")
    elif abs(ahead) <= CLOCK_WINDOW:
        yield Check("clock", good=None, text=f"it is {way}; up to {CLOCK_WINDOW} s are taken", mend=_NTP)
    else:
        text = f"it is {way}, more than the {CLOCK_WINDOW} s that are taken: every call is refused"
        yield Check("clock", good=False, text=text, mend=_NTP)


def _refused(exchange: Exchange) -> Check | None:
    """The step for a service that does not take the signature, or is not the service at all."""
    answer = exchange.received
    if answer.status == 200:
        return None
    error = explain_refusal(exchange, refusal_v3(None, answer))
    if not isinstance(error, ServiceError) or not error.code:
        return Check("service", good=False, text=str(error), mend=_SOMEBODY)
    told = f"{error.code:.40}: {error.message:.200}"
    if isinstance(error, SignError) or answer.status == 401:
        return Check("signature", good=False, text=f"the service refuses it, {told}", mend=error.hint)
    if (answer.status, error.code) in _NO_CERTIFICATES:
        return None
    # A limit, a maintenance, an address that is not allowed: it says nothing of the keys.
    text = f"HTTP {answer.status}, {told}: whether it takes the signature is not known by this"
    later = answer.status == 429 or answer.status >= 500
    mend = error.hint or ("run this again later" if later else "")
    return Check("service", good=None if later else False, text=text, mend=mend)


def _stranger(answer: RawResponse) -> Check | None:
    """The step for a 200 that is no list of certificates: a page of a proxy says nothing of any key."""
    if answer.status != 200:
        return None
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        return None
    kind = answer.headers.get("Content-Type", "no type")
    begins = answer.body[:60].decode("utf-8", "replace")
    text = on_one_line(f"HTTP 200, but not with certificates: {kind[:60]}, {len(answer.body)} bytes: {begins!r}")
    return Check("service", good=False, text=text, mend=_SOMEBODY)


def _mode(answer: RawResponse, settings: Settings) -> tuple[tuple[PlatformKey, ...], list[Check]]:
    """The certificates that came, and the steps for the mode and the APIv3 key."""
    public = any(is_public_key_id(key.id) for key in settings.keys)
    if answer.status != 200:
        error = refusal_v3(None, answer)
        code = f"{error.status} {error.code}" if isinstance(error, ServiceError) else ""
        text = f"public key (微信支付公钥): the service has no platform certificates for this merchant ({code})"
        steps = [Check("mode", good=public, text=text, mend="" if public else _TAKE)]
        if settings.apiv3_key is not None:
            text = "nothing to decrypt here; the first notification shows whether it is right"
            steps.append(Check("APIv3 key", good=None, text=text))
        return (), steps
    text = "certificate (平台证书): the service has certificates for this merchant"
    if public:
        text = "both: the profile has a public key (微信支付公钥), and the service has certificates too (平台证书)"
    steps = [Check("mode", good=True, text=text)]
    if settings.apiv3_key is None:
        mend = "give `apiv3_key` (APIv3密钥), so that certificates are downloaded and renewed"
        steps.append(Check("APIv3 key", good=None, text="without it the certificates stay closed", mend=mend))
        return (), steps
    try:
        keys = decrypt_certificates(answer.body, settings.apiv3_key)
    except PlatformCertificatesError as error:
        steps.append(_not_taken(error))
        return (), steps
    shown = ", ".join(f"{key.id} until {key.not_after:%Y-%m-%d}" for key in keys if key.not_after is not None)
    steps.append(Check("APIv3 key", good=True, text=f"it decrypts the certificates: {shown}"))
    return keys, steps


def _not_taken(error: PlatformCertificatesError) -> Check:
    """The step for certificates that came and are not taken. Only what does not decrypt concerns the APIv3 key."""
    if not error.undecryptable:
        return Check(
            "certificates", good=False, text=f"the answer's certificates cannot be read: {error}", mend=_SOMEBODY
        )
    text = f"the certificates do not decrypt under it: {error}"
    mend = (
        "compare it with the one that is in use elsewhere, character by character. The merchant platform does not show "
        "it; a new one (API安全 > APIv3密钥) ends the old one for every program of this merchant"
    )
    return Check("APIv3 key", good=False, text=text, mend=mend)


def _platform_key(answer: RawResponse, wanted: str, known: PlatformKeys) -> Check:
    """Whether the answer's signature is that of a platform key at hand."""
    if "Wechatpay-Signature" not in answer.headers and answer.status != 200:
        text = (
            f"this answer is not signed, so it proves nothing{f' of {wanted}' if wanted else ''}; the first call will"
        )
        return Check("platform key", good=None, text=text)
    try:
        signed = read_headers(answer.headers, answer.name)
    except VerificationError as error:
        return Check("platform key", good=False, text=str(error))
    key = known.get(signed.serial)
    if key is None:
        have = ", ".join(each.id for each in known) or "none"
        text = f"the service signs with {signed.serial[:80]}, which is not at hand (there: {have})"
        mend = _TAKE if is_public_key_id(signed.serial) else "give `apiv3_key`, so that the certificates are downloaded"
        return Check("platform key", good=False, text=text, mend=mend)
    try:
        check_signature(signed, answer.body, key, answer.name, headers=answer.headers)
    except VerificationError as error:
        mend = f"the key in the profile is not the one of {key.id}: {_TAKE}"
        return Check("platform key", good=False, text=str(error), mend=mend)
    if wanted and key.id != wanted and is_public_key_id(wanted):
        text = f"{wanted} was asked for, and the service signed with {key.id}: it does not know that id"
        return Check("platform key", good=None, text=text, mend=_TAKE)
    return Check("platform key", good=True, text=f"the answer is signed by {key.id}, and verifies")
