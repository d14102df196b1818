"""Platform keys: lookup by serial, validity, the choice of the encryption key, and when to download new ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.ciphers import aead_encrypt
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey, is_public_key_id, platform_key
from wxpay_dsl.wechat.platform_keys.certificates import PlatformCertificatesError, decrypt_certificates
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys
from wxpay_dsl.wechat.platform_keys.refresh_policy import Refresh, RefreshPolicy

M: dict[str, str] = yaml.safe_load((Path(__file__).parents[2] / "cases/keys.yaml").read_text("utf-8"))
KEY = load_private_key(M["pkcs8"])
PUBLIC = KEY.public_key()
OTHER = load_private_key(M["other_pkcs8"]).public_key()
APIV3_KEY = "0123456789abcdef0123456789ABCDEF"
PUB_KEY_ID = "PUB_KEY_ID_0000000000000024101100397200000006"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SERIAL = 0x5157F09EFDC096DE15EBE81A47057A7232F1B8E1


def certificate(serial: int, start: datetime, end: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com Root CA")])
    builder = x509.CertificateBuilder(name, name, PUBLIC, serial, start, end)
    return builder.sign(KEY, hashes.SHA256())


def answer(*certificates: x509.Certificate, key: str = APIV3_KEY) -> dict[str, Any]:
    """The body of a response of ``GET /v3/certificates``."""
    data = []
    for one in certificates:
        nonce, aad = "61f9c719728a", "certificate"
        data.append(
            {
                "serial_no": f"{one.serial_number:040X}",
                "effective_time": one.not_valid_before_utc.isoformat(),
                "expire_time": one.not_valid_after_utc.isoformat(),
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "nonce": nonce,
                    "associated_data": aad,
                    "ciphertext": aead_encrypt(one.public_bytes(Encoding.PEM), key, nonce, aad),
                },
            }
        )
    return {"data": data}


OLD = certificate(0x0A << 152 | 1, NOW - 1800 * DAY, NOW + 10 * DAY)
NEW = certificate(0x5F << 152 | 2, NOW - DAY, NOW + 1824 * DAY)
OLD_ID, NEW_ID = f"{OLD.serial_number:040X}", f"{NEW.serial_number:040X}"


class TestConfigured:
    def test_a_public_key_goes_by_its_id_and_does_not_end(self) -> None:
        key = platform_key(PUB_KEY_ID, M["spki"])
        assert (key.id, key.public_key, key.certificate) == (PUB_KEY_ID, PUBLIC, None)
        assert key.valid_at(NOW + 100_000 * DAY)
        assert is_public_key_id(key.id)

    @pytest.mark.parametrize("written", [M["serial"], M["serial"].lower(), M["serial"].lstrip("0")])
    def test_a_certificate_goes_by_its_serial_with_its_zeros(self, written: str) -> None:
        key = platform_key(written, M["certificate"])
        assert key.id == M["serial"]
        assert key.certificate is not None
        assert not is_public_key_id(key.id)

    @pytest.mark.parametrize("written", [f" {PUB_KEY_ID}\n", PUB_KEY_ID.lower()])
    def test_an_id_that_was_copied_with_blanks_or_in_lower_case(self, written: str) -> None:
        assert platform_key(written, M["spki"]).id == PUB_KEY_ID

    def test_a_serial_with_colons(self) -> None:
        serial = M["serial"]
        colons = ":".join(serial[i : i + 2] for i in range(0, len(serial), 2))
        assert platform_key(colons, M["certificate"]).id == serial
        assert platform_key("5f:00", M["spki"]).id == "5F00"

    def test_a_bare_key_may_go_by_a_serial(self) -> None:
        assert platform_key("5f00", M["spki"]).id == "5F00"

    @pytest.mark.parametrize(
        ("key_id", "thing", "says"),
        [
            ("5F00", M["certificate"], f"the certificate's serial is {M['serial']}"),
            (PUB_KEY_ID, M["certificate"], "this is a certificate; pub_key.pem"),
            (PUB_KEY_ID, M["pkcs8"], "this is a private key"),
            (PUB_KEY_ID, "nowhere/pub_key.pem", "no such file: nowhere/pub_key.pem"),
            (PUB_KEY_ID, None, "no key"),
            ("", M["spki"], "no id"),
            ("PUB_KEY_ID_", M["spki"], "platform key 'PUB_KEY_ID_': an id is PUB_KEY_ID_… with its digits"),
            ("PUB_KEY_1", M["spki"], "platform key 'PUB_KEY_1': an id is"),
            ("pub_key.pem", PUB_KEY_ID, "the id and the file are swapped"),
            ("PUB_KEY_ID_1\r\nX: y", M["spki"], "an id is"),
            ("F" * 41, M["spki"], "an id is"),
            ("F" * 100_000, M["spki"], "platform key of 100000 characters: an id is"),
        ],
        ids=[
            *("serial", "certificate", "private key", "missing file", "no key", "no id", "half an id", "another word"),
            *("id and file", "a header", "too long", "far too long"),
        ],
    )
    def test_says_what_is_wrong(self, key_id: str, thing: Any, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            platform_key(key_id, thing)


class TestSet:
    PUBLIC_KEY = PlatformKey(PUB_KEY_ID, OTHER)
    CERTIFICATES = decrypt_certificates(answer(OLD, NEW), APIV3_KEY)

    def test_a_serial_is_found_in_either_case(self) -> None:
        keys = PlatformKeys([self.PUBLIC_KEY, *self.CERTIFICATES])
        assert keys.get(OLD_ID.lower()) is self.CERTIFICATES[0]
        assert keys.get(PUB_KEY_ID) is self.PUBLIC_KEY
        assert keys.get(OLD_ID.lstrip("0")) is None
        assert OLD_ID in keys
        assert "5F" not in keys
        assert [key.id for key in keys] == [PUB_KEY_ID, OLD_ID, NEW_ID]

    def test_a_union_leaves_both_sets_as_they_were_and_prefers_the_other(self) -> None:
        configured = PlatformKeys([self.PUBLIC_KEY])
        downloaded = configured.union(self.CERTIFICATES)
        renewed = PlatformKey(PUB_KEY_ID, PUBLIC)
        assert (len(configured), len(downloaded)) == (1, 3)
        assert downloaded.union([renewed]).get(PUB_KEY_ID) is renewed
        assert downloaded.get(PUB_KEY_ID) is self.PUBLIC_KEY
        assert configured == PlatformKeys([self.PUBLIC_KEY]) != downloaded

    def test_it_cannot_be_changed(self) -> None:
        keys = PlatformKeys(self.CERTIFICATES)
        with pytest.raises(TypeError):
            keys._keys[PUB_KEY_ID] = self.PUBLIC_KEY  # type: ignore[index]  # what the test is about
        with pytest.raises(AttributeError):
            keys._keys = {}  # type: ignore[misc]  # likewise

    @pytest.mark.parametrize(
        ("when", "valid"),
        [
            (OLD.not_valid_before_utc - timedelta(seconds=1), []),
            (OLD.not_valid_before_utc, [OLD_ID]),
            (NOW - 2 * DAY, [OLD_ID]),
            (NOW, [OLD_ID, NEW_ID]),
            (OLD.not_valid_after_utc, [OLD_ID, NEW_ID]),
            (OLD.not_valid_after_utc + timedelta(seconds=1), [NEW_ID]),
            (NOW + 2000 * DAY, []),
        ],
    )
    def test_the_newest_certificate_that_is_valid_encrypts(self, when: datetime, valid: list[str]) -> None:
        keys = PlatformKeys(reversed(self.CERTIFICATES))
        assert sorted(key.id for key in keys if key.valid_at(when)) == valid
        if valid:
            assert keys.for_encryption(when).id == valid[-1]
        else:
            with pytest.raises(ConfigurationError, match=rf"no platform key is valid.*{OLD_ID} until 2026-06-11"):
                keys.for_encryption(when)

    def test_while_a_merchant_migrates_either_mode_can_be_preferred(self) -> None:
        both = PlatformKeys([self.PUBLIC_KEY, *self.CERTIFICATES])
        assert both.for_encryption(NOW).id == PUB_KEY_ID
        assert both.for_encryption(NOW, prefer="certificate").id == NEW_ID
        assert both.for_encryption(NOW + 2000 * DAY, prefer="certificate").id == PUB_KEY_ID
        assert PlatformKeys(self.CERTIFICATES).for_encryption(NOW, prefer="public_key").id == NEW_ID

    def test_without_any_key_the_error_says_what_to_give(self) -> None:
        with pytest.raises(ConfigurationError, match=r"none is configured.*PUB_KEY_ID_"):
            PlatformKeys().for_encryption(NOW)


class TestDownloaded:
    def test_all_certificates_are_decrypted_and_valid_as_they_say_themselves(self) -> None:
        payload = answer(OLD, NEW)
        payload["data"][0]["expire_time"] = "2099-01-01T00:00:00+08:00"
        for given_as in (payload, json.dumps(payload), json.dumps(payload).encode()):
            old, new = decrypt_certificates(given_as, APIV3_KEY)
            assert (old.id, old.certificate, old.not_before, old.not_after) == (
                OLD_ID,
                OLD,
                OLD.not_valid_before_utc,
                OLD.not_valid_after_utc,
            )
            assert new.id == NEW_ID
            assert new.public_key == PUBLIC

    def test_a_leading_zero_of_a_serial_is_kept(self) -> None:
        assert OLD_ID.startswith("0A")
        assert decrypt_certificates(answer(OLD), APIV3_KEY)[0].id == OLD_ID

    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            ("serial_no", NEW_ID, f"the certificate's serial is {OLD_ID}"),
            ("serial_no", None, "a value that is not text"),
            ("encrypt_certificate.algorithm", "AEAD_ROT_13", "AEAD_ROT_13; expected AEAD_AES_256_GCM"),
            ("encrypt_certificate.algorithm", "AEAD_SM4_GCM", "SM4-GCM: cannot be decrypted"),
            ("encrypt_certificate.nonce", "000000000000", "cannot be decrypted"),
            ("encrypt_certificate.nonce", 7, "a value that is not text"),
            ("encrypt_certificate.associated_data", "", "cannot be decrypted"),
            ("encrypt_certificate.associated_data", None, "cannot be decrypted"),
            ("encrypt_certificate.ciphertext", "AAAA", "cannot be decrypted"),
            (
                "encrypt_certificate.ciphertext",
                aead_encrypt(M["spki"], APIV3_KEY, "61f9c719728a", "certificate"),
                "not a certificate in PEM",
            ),
            (
                "encrypt_certificate.ciphertext",
                aead_encrypt("../../etc/passwd", APIV3_KEY, "61f9c719728a", "certificate"),
                "not a certificate in PEM",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "-",
    )
    def test_one_bad_entry_refuses_them_all(self, path: str, value: Any, says: str) -> None:
        payload = answer(NEW, OLD)
        target = payload["data"][1]
        *parents, name = path.split(".")
        for parent in parents:
            target = target[parent]
        target[name] = value
        with pytest.raises(PlatformCertificatesError, match=says):
            decrypt_certificates(payload, APIV3_KEY)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"<html>", b"\xff", b"[]", b"{}", b"null", b'{"data": null}', b'{"data": []}', b'{"data": [1]}',
            b'{"data": [{}]}', b'{"data": [{"serial_no": "1", "encrypt_certificate": []}]}', b"[" * 100_000,
            b'{"code":"RESOURCE_NOT_EXISTS","message":"\xe6\x97\xa0\xe5\x8f\xaf\xe7\x94\xa8"}',
        ],
        ids=lambda body: body[:30].decode("utf-8", "replace"),
    )  # fmt: skip
    def test_a_body_of_another_shape_is_refused(self, body: bytes) -> None:
        with pytest.raises(PlatformCertificatesError):
            decrypt_certificates(body, APIV3_KEY)

    def test_the_same_serial_twice_is_refused(self) -> None:
        with pytest.raises(PlatformCertificatesError, match="twice"):
            decrypt_certificates(answer(OLD, OLD), APIV3_KEY)

    def test_another_merchants_key_does_not_decrypt(self) -> None:
        with pytest.raises(PlatformCertificatesError, match="APIv3密钥"):
            decrypt_certificates(answer(OLD, key="another key of thirty-two bytes!"), APIV3_KEY)

    def test_a_key_of_another_length_is_a_matter_of_configuration(self) -> None:
        with pytest.raises(ConfigurationError, match="16 bytes; it must be 32"):
            decrypt_certificates(answer(OLD), APIV3_KEY[:16])


class TestRefreshPolicy:
    def test_the_first_download_is_due_at_once_and_the_next_after_the_interval(self) -> None:
        policy = RefreshPolicy(interval=100, minimum_interval=10)
        assert policy.on_schedule(0) is Refresh.START
        policy = policy.started(0).succeeded()
        assert policy.next_due() == 100
        assert policy.on_schedule(99.9) is Refresh.NOT_NOW
        assert policy.on_schedule(100) is Refresh.START

    def test_only_one_download_at_a_time_and_those_who_need_it_wait_for_it(self) -> None:
        running = RefreshPolicy(interval=100, minimum_interval=10).started(0)
        assert running.on_unknown_serial(1000) is Refresh.JOIN
        assert running.on_schedule(1000) is Refresh.NOT_NOW
        with pytest.raises(RuntimeError, match="already running"):
            running.started(1000)

    def test_forged_serials_start_no_storm(self) -> None:
        policy = RefreshPolicy(minimum_interval=300)
        downloads = 0
        for now in range(3600):
            if policy.on_unknown_serial(now) is Refresh.START:
                downloads += 1
                policy = policy.started(now)
                policy = policy.succeeded() if downloads % 2 else policy.failed()
        assert downloads == 12

    def test_failures_are_repeated_ever_less_often(self) -> None:
        policy, due = RefreshPolicy(interval=100, minimum_interval=10), []
        for _ in range(6):
            policy = policy.started(0).failed()
            due.append(policy.next_due())
        assert due == [10, 20, 40, 80, 100, 100]
        assert policy.started(0).succeeded().next_due() == 100
        for _ in range(2000):
            policy = policy.started(0).failed()
        assert policy.next_due() == 100

    def test_without_an_interval_only_an_unknown_serial_starts_one(self) -> None:
        policy = RefreshPolicy(interval=None)
        assert policy.next_due() is None
        assert policy.on_schedule(1e9) is Refresh.NOT_NOW
        assert policy.on_unknown_serial(1e9) is Refresh.START

    @given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from(["schedule", "serial", "succeed", "fail"]))))
    def test_whatever_happens_downloads_never_overlap_nor_follow_too_soon(self, steps: list[tuple[float, str]]) -> None:
        policy, now, starts = RefreshPolicy(interval=60, minimum_interval=7), 0.0, []
        for elapsed, event in steps:
            now += elapsed
            if event in ("schedule", "serial"):
                decide = policy.on_schedule if event == "schedule" else policy.on_unknown_serial
                if decide(now) is Refresh.START:
                    assert not policy.running
                    starts.append(now)
                    policy = policy.started(now)
            elif policy.running:
                policy = policy.succeeded() if event == "succeed" else policy.failed()
        assert all(b - a >= 7 for a, b in pairwise(starts))


class TestNeed:
    """A call without any valid key needs the download, so the pause after a failure is short, and grows."""

    def test_nothing_was_attempted_yet(self) -> None:
        assert RefreshPolicy().on_need(0) is Refresh.START
        assert RefreshPolicy(interval=None).on_need(0) is Refresh.START

    def test_one_under_way_is_waited_for(self) -> None:
        assert RefreshPolicy().started(0).on_need(0) is Refresh.JOIN
        assert RefreshPolicy().started(0).on_demand(0) is Refresh.JOIN

    @pytest.mark.parametrize(
        ("failures", "pause"), [(0, 300.0), (1, 2.0), (2, 4.0), (3, 8.0), (8, 256.0), (9, 300.0), (5000, 300.0)]
    )
    def test_the_pause_after_so_many_failures(self, failures: int, pause: float) -> None:
        policy = RefreshPolicy(attempted_at=1000.0, failures=failures)
        assert policy.on_need(1000.0 + pause - 0.5) is Refresh.NOT_NOW
        assert policy.on_need(1000.0 + pause) is Refresh.START

    def test_whoever_asks_himself_waits_for_no_pause(self) -> None:
        assert RefreshPolicy(attempted_at=1000.0, failures=3).on_demand(1000.0) is Refresh.START


def test_half_a_day_between_downloads_and_five_minutes_between_any_two() -> None:
    assert RefreshPolicy().started(0).succeeded().next_due() == 12 * 60 * 60
    policy = RefreshPolicy().started(0).succeeded()
    assert policy.on_unknown_serial(299.9) is Refresh.NOT_NOW
    assert policy.on_unknown_serial(300) is Refresh.START


def test_of_certificates_the_one_that_began_last_is_the_newest_whatever_its_serial() -> None:
    older, newer = certificate(SERIAL + 9, NOW - 9 * DAY, NOW + 9 * DAY), certificate(SERIAL, NOW - DAY, NOW + DAY)
    keys = PlatformKeys(platform_key(f"{one.serial_number:040X}", one) for one in (newer, older))
    assert keys.for_encryption(NOW).id == f"{SERIAL:040X}"


def test_a_hundred_entries_are_looked_at_and_no_more() -> None:
    for count, says in ((100, "lacks serial_no"), (101, "no list `data`")):
        with pytest.raises(PlatformCertificatesError, match=says):
            decrypt_certificates({"data": [{}] * count}, APIV3_KEY)


def test_the_apiv3_key_may_be_bytes() -> None:
    payload = answer(certificate(SERIAL, NOW - DAY, NOW + DAY))
    assert decrypt_certificates(payload, APIV3_KEY.encode()) == decrypt_certificates(payload, APIV3_KEY)


def test_an_error_says_what_is_wrong_and_whose_it_is() -> None:
    assert str(PlatformCertificatesError("none came")) == "platform certificates (平台证书): none came"


def test_a_key_shows_its_id_and_its_time_and_not_itself() -> None:
    shown = repr(platform_key(f"{SERIAL:040X}", certificate(SERIAL, NOW - DAY, NOW + DAY)))
    assert f"{SERIAL:040X}" in shown
    assert "2026" in shown
    assert "object at" not in shown
    assert "<Certificate" not in shown


def test_two_keys_are_told_apart_by_themselves_and_not_by_their_ids() -> None:
    one, other = platform_key("PUB_KEY_ID_1", PUBLIC), platform_key("PUB_KEY_ID_1", OTHER)
    assert one.fingerprint == platform_key("PUB_KEY_ID_2", PUBLIC).fingerprint
    assert one.fingerprint != other.fingerprint
    assert one.rsa is one.public_key
