"""The keys that WeChat Pay signs with and that sensitive fields are encrypted for.

In public-key mode (微信支付公钥) the key and its id come from the merchant console and do not end. In
certificate mode (微信支付平台证书) certificates are downloaded and end after five years, a new one appearing
before the old one ends. Both modes are on while a merchant migrates. Nothing here does I/O: sets are values,
replaced whole.

https://pay.weixin.qq.com/doc/v3/merchant/4012154180
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wxpay_dsl.core.errors import ConfigurationError, SdkError, on_one_line
from wxpay_dsl.wechat import ciphers, shangmi
from wxpay_dsl.wechat.certificates import certificate_serial, load_certificate
from wxpay_dsl.wechat.keys import KeyMaterial, load_public_key
from wxpay_dsl.wechat.shangmi import Sm2PublicKey

if TYPE_CHECKING:
    from cryptography import x509

__all__ = [
    "CertificateOpener",
    "PlatformCertificatesError",
    "PlatformKey",
    "PlatformKeys",
    "Refresh",
    "RefreshPolicy",
    "decrypt_certificates",
    "is_public_key_id",
    "platform_key",
]

_PUBLIC_KEY_ID = "PUB_KEY_ID_"
#: It is sent as a header, and a file may be named by it.
_ID = re.compile(r"PUB_KEY_ID_[A-Za-z0-9_-]{1,100}|[0-9A-F]{1,40}")
#: Characters of an id that is none, in an error.
_SHOWN = 60
_ALGORITHM = "AEAD_AES_256_GCM"
_ALGORITHMS = {_ALGORITHM: ciphers.aead_decrypt, shangmi.ALGORITHM: shangmi.aead_decrypt}
#: How a certificate begins that the service encrypts.
_BEGINS = b"-----BEGIN CERTIFICATE-----"
#: WeChat Pay gives one certificate, two while it changes them.
_CERTIFICATE_LIMIT = 100


@frozen(str=False)
class PlatformCertificatesError(SdkError):
    """An answer of ``GET /v3/certificates`` that is not taken; the keys at hand stay in force.

    ``undecryptable`` where it has the shape of such an answer, and does not decrypt under the APIv3 key.
    """

    message: str
    undecryptable: bool = False

    def __str__(self) -> str:
        # Serials and algorithms in it are whatever stands in the answer.
        return on_one_line(f"platform certificates (平台证书): {self.message}")


def is_public_key_id(key_id: str) -> bool:
    """Whether ``Wechatpay-Serial`` names a public key (``PUB_KEY_ID_…``), not a certificate."""
    return key_id.startswith(_PUBLIC_KEY_ID)


def _normal(key_id: str) -> str:
    return key_id if is_public_key_id(key_id) else key_id.upper()


@frozen
class PlatformKey:
    """One key of WeChat Pay; ``not_before`` and ``not_after`` (aware, UTC) are a certificate's."""

    #: ``PUB_KEY_ID_…``, or the certificate's serial in upper-case hexadecimal with its leading zeros.
    id: str = field(converter=_normal)
    public_key: RSAPublicKey | Sm2PublicKey = field(repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None
    certificate: x509.Certificate | None = field(default=None, repr=False)

    @property
    def rsa(self) -> RSAPublicKey:
        """The key, to encrypt for. Raises ConfigurationError for one of ShangMi (国密), which only verifies here."""
        if isinstance(self.public_key, RSAPublicKey):
            return self.public_key
        raise ConfigurationError(
            f"the platform key {self.id} is of SM2 (国密): fields are encrypted for RSA keys only; give one of those "
            f"beside it (pub_key.pem with its PUB_KEY_ID_…), or pass the values encrypted already"
        )

    @property
    def fingerprint(self) -> str:
        """What tells the key from any other, whatever its id."""
        key = self.public_key
        return f"{key.public_numbers().n:x}" if isinstance(key, RSAPublicKey) else key.point.hex()

    def valid_at(self, when: datetime) -> bool:
        """Whether the key may be used at ``when`` (aware); ``None`` is no limit."""
        return (self.not_before is None or self.not_before <= when) and (
            self.not_after is None or when <= self.not_after
        )


def platform_key(
    key_id: str, thing: KeyMaterial | RSAPublicKey | Sm2PublicKey | x509.Certificate | None
) -> PlatformKey:
    """A key as configured: its id and, in any form that :func:`load_public_key` takes, the key.

    ``key_id`` is ``PUB_KEY_ID_…``, or a serial in hexadecimal, with or without colons. Raises
    :class:`ConfigurationError` for an id that is neither, if the key cannot be loaded, if a certificate's serial is
    not ``key_id``, or if ``PUB_KEY_ID_…`` names a certificate.
    """
    if not key_id:
        raise ConfigurationError("platform key '': it has no id")
    key_id = _checked_id(key_id, thing)
    if thing is None:
        raise ConfigurationError(f"platform key {key_id!r}: it has no key")
    certificate = _certificate_in(thing)
    if certificate is None:
        if isinstance(thing, Sm2PublicKey) or (isinstance(thing, (str, bytes, os.PathLike)) and shangmi.is_sm2(thing)):
            return PlatformKey(key_id, shangmi.load_public_key(thing))
        return PlatformKey(key_id, load_public_key(thing))
    if is_public_key_id(key_id):
        raise ConfigurationError(f"platform key {key_id}: this is a certificate; pub_key.pem belongs to this id")
    key = _of_certificate(certificate)
    # A serial copied from a tool that shows a number may have lost its zeros; the certificate knows better.
    if key.id.lstrip("0") != key_id.upper().lstrip("0"):
        raise ConfigurationError(f"platform key {key_id}: the certificate's serial is {key.id}")
    return key


def _checked_id(given: str, thing: object) -> str:
    """The id as it is sent. Raises ConfigurationError for what is neither a public key's id nor a serial."""
    # As openssl writes serials; an id in lower case is one all the same.
    upper = given.strip().upper()
    key_id = given.strip() if is_public_key_id(given.strip()) else upper if is_public_key_id(upper) else ""
    key_id = key_id or upper.replace(":", "")
    if _ID.fullmatch(key_id):
        return key_id
    shown = repr(given) if len(given) <= _SHOWN else f"of {len(given)} characters"
    wanted = "an id is PUB_KEY_ID_… with its digits, or the serial of a certificate in hexadecimal"
    if isinstance(thing, str) and is_public_key_id(thing.strip()):
        wanted += "; here id and file have changed places"
    raise ConfigurationError(f"platform key {shown}: {wanted}")


def _certificate_in(thing: KeyMaterial | RSAPublicKey | Sm2PublicKey | x509.Certificate) -> x509.Certificate | None:
    if isinstance(thing, (RSAPublicKey, Sm2PublicKey)):
        return None
    try:
        return load_certificate(thing)
    except ConfigurationError:
        return None  # load_public_key says what is wrong, if anything is


def _of_certificate(certificate: x509.Certificate) -> PlatformKey:
    return PlatformKey(
        certificate_serial(certificate),
        shangmi.public_key_of(certificate) or load_public_key(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate,
    )


def _by_id(keys: Iterable[PlatformKey]) -> Mapping[str, PlatformKey]:
    return MappingProxyType({key.id: key for key in keys})


@frozen
class PlatformKeys:
    """Platform keys by id, never changed: a refresh makes a new set, to replace the old in one step."""

    _keys: Mapping[str, PlatformKey] = field(converter=_by_id, factory=dict)

    def __iter__(self) -> Iterator[PlatformKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key_id: object) -> bool:
        return isinstance(key_id, str) and _normal(key_id) in self._keys

    def get(self, key_id: str) -> PlatformKey | None:
        """The key that a ``Wechatpay-Serial`` names, valid or not; ``None`` for an unknown one."""
        # Nearly always it comes as it is kept.
        return self._keys.get(key_id) or self._keys.get(_normal(key_id))

    def union(self, other: Iterable[PlatformKey]) -> PlatformKeys:
        """The keys of both; of two with one id, the other's."""
        return PlatformKeys([*self, *other])

    def for_encryption(
        self, when: datetime, prefer: Literal["public_key", "certificate"] = "public_key"
    ) -> PlatformKey:
        """The key for sensitive fields and ``Wechatpay-Serial``: of the preferred mode, else of the other.

        In certificate mode the newest that is valid at ``when``, in public-key mode the last one given.
        Raises :class:`ConfigurationError` if no key is valid.
        """
        valid = [key for key in self if key.valid_at(when)]
        public_keys = [key for key in valid if is_public_key_id(key.id)]
        certificates = sorted(
            (key for key in valid if not is_public_key_id(key.id)),
            key=lambda key: (key.not_before or datetime.min.replace(tzinfo=UTC), key.id),
        )
        ranked = [*certificates, *public_keys] if prefer == "public_key" else [*public_keys, *certificates]
        if not ranked:
            have = "; ".join(f"{key.id} until {key.not_after:%Y-%m-%d}" for key in self if key.not_after)
            raise ConfigurationError(
                f"no platform key is valid at {when:%Y-%m-%d %H:%M} ({have or 'there is none at all'}): give "
                f"pub_key.pem with its id PUB_KEY_ID_… (微信支付公钥), or download the certificates"
            )
        return ranked[-1]


def _key_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


@frozen
class CertificateOpener:
    """Opens answers of ``GET /v3/certificates`` with one APIv3 key, which stays out of its repr.

    Error trackers send the variables of every frame: whoever opens such answers holds this, and not the key.
    """

    _key: bytes = field(repr=False, converter=_key_bytes)

    def __call__(self, payload: bytes | str | Mapping[str, Any]) -> tuple[PlatformKey, ...]:
        """As :func:`decrypt_certificates`."""
        if len(self._key) != 32:
            raise ConfigurationError(f"the APIv3 key (APIv3密钥) is {len(self._key)} bytes; it must be 32")
        keys = tuple(self._decrypted(entry) for entry in _entries(payload))
        if len({one.id for one in keys}) != len(keys):
            raise PlatformCertificatesError("one serial is there twice")
        return keys

    def __reduce__(self) -> str:
        raise TypeError("it holds a secret key and is never pickled")

    def _decrypted(self, entry: Any) -> PlatformKey:
        try:
            serial, sealed = entry["serial_no"], entry["encrypt_certificate"]
            algorithm, nonce, ciphertext = sealed["algorithm"], sealed["nonce"], sealed["ciphertext"]
            associated_data = sealed.get("associated_data") or ""
        except (KeyError, TypeError, AttributeError):
            raise PlatformCertificatesError("an entry lacks serial_no or a part of encrypt_certificate") from None
        if not all(isinstance(part, str) for part in (serial, algorithm, nonce, ciphertext, associated_data)):
            raise PlatformCertificatesError("an entry has something else than text in it")
        decrypt = _ALGORITHMS.get(algorithm)
        if decrypt is None:
            raise PlatformCertificatesError(f"{serial[:80]}: encrypted with {algorithm[:80]}; expected {_ALGORITHM}")
        try:
            plaintext = decrypt(ciphertext, self._key, nonce, associated_data)
            # The same key seals notifications, whose JSON holds texts of strangers: a certificate in one is none.
            if not plaintext.lstrip().startswith(_BEGINS):
                raise PlatformCertificatesError(f"{serial[:80]}: what was encrypted is no certificate in PEM")
            found = _of_certificate(load_certificate(plaintext))
        except ciphers.DecryptionError as error:
            raise PlatformCertificatesError(f"{serial[:80]}: {error}", undecryptable=True) from error
        except ConfigurationError as error:
            raise PlatformCertificatesError(f"{serial[:80]}: {error}") from error
        if found.id != serial.upper():
            raise PlatformCertificatesError(f"{serial[:80]}: the certificate's serial is {found.id}")
        return found


def decrypt_certificates(payload: bytes | str | Mapping[str, Any], apiv3_key: str | bytes) -> tuple[PlatformKey, ...]:
    """The platform certificates in an answer of ``GET /v3/certificates``: all of them, or none.

    ``payload`` is the body, or its JSON already read. GCM proves that whoever encrypted them has the APIv3
    key; the answer's own signature has to be verified besides, the first time with the very certificate it
    brought. Validity is taken from the certificates.

    Raises :class:`ConfigurationError` for an APIv3 key that is not 32 bytes;
    :class:`PlatformCertificatesError` for a body of another shape, no certificate in it, another algorithm,
    one that does not decrypt, or one whose serial is not the ``serial_no`` beside it.

    https://pay.weixin.qq.com/docs/merchant/development/interface-rules/certificate-callback-decryption.html
    """
    opener = CertificateOpener(apiv3_key)
    del apiv3_key
    return opener(payload)


def _entries(payload: bytes | str | Mapping[str, Any]) -> list[Any]:
    try:
        document: Any = payload if isinstance(payload, Mapping) else json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise PlatformCertificatesError("the body is not JSON") from error
    entries = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= _CERTIFICATE_LIMIT:
        raise PlatformCertificatesError("the body holds no list `data` of certificates")
    return entries


class Refresh(Enum):
    """What to do about platform certificates now."""

    #: Begin a download.
    START = "start"
    #: One is under way: wait for its end.
    JOIN = "join"
    #: Do without: it is not due, or too soon after the last attempt.
    NOT_NOW = "not now"


@frozen
class RefreshPolicy:
    """When to download platform certificates: on schedule and on an unknown serial, one at a time.

    A value: each step gives the next one. Times are seconds of one monotonic clock, which the caller reads.
    """

    #: Between two downloads on schedule; ``None``: none on schedule.
    interval: float | None = 12 * 3600.0
    #: Between the starts of any two downloads, so that forged serials cause no storm of them.
    minimum_interval: float = 300.0
    running: bool = False
    attempted_at: float | None = None
    failures: int = 0

    def next_due(self) -> float | None:
        """When the next download on schedule begins; ``None``: never. A time in the past: now.

        After failures the pause doubles from ``minimum_interval`` up to ``interval``.
        """
        if self.interval is None:
            return None
        if self.attempted_at is None:
            return float("-inf")
        if not self.failures:
            return self.attempted_at + self.interval
        return self.attempted_at + min(self.interval, self.minimum_interval * 2.0 ** min(self.failures - 1, 30))

    def on_schedule(self, now: float) -> Refresh:
        """For the timer, which never waits for a download: the keys at hand stay in force."""
        due = self.next_due()
        return Refresh.NOT_NOW if self.running or due is None or now < due else Refresh.START

    def on_unknown_serial(self, now: float) -> Refresh:
        """For an answer or notification whose serial is in no key at hand."""
        if self.running:
            return Refresh.JOIN
        too_soon = self.attempted_at is not None and now < self.attempted_at + self.minimum_interval
        return Refresh.NOT_NOW if too_soon else Refresh.START

    def on_need(self, now: float) -> Refresh:
        """For a call while no key at hand is valid: it fails without, so the pause after a failure is short."""
        if self.running:
            return Refresh.JOIN
        pause = min(self.minimum_interval, 2.0 ** min(self.failures, 30)) if self.failures else self.minimum_interval
        too_soon = self.attempted_at is not None and now < self.attempted_at + pause
        return Refresh.NOT_NOW if too_soon else Refresh.START

    def on_demand(self, now: float) -> Refresh:
        """For somebody who asks for a download himself, whatever the schedule says."""
        return Refresh.JOIN if self.running else Refresh.START

    def started(self, now: float) -> RefreshPolicy:
        """A download begins. Raises :class:`RuntimeError` if one is under way."""
        if self.running:
            raise RuntimeError("a refresh of platform certificates is already under way")
        return evolve(self, running=True, attempted_at=now)

    def succeeded(self) -> RefreshPolicy:
        """The download ended, and its keys are in force."""
        return evolve(self, running=False, failures=0)

    def failed(self) -> RefreshPolicy:
        """The download failed or was cancelled; the old keys stay in force."""
        return evolve(self, running=False, failures=self.failures + 1)
