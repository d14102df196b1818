"""Settings: their sources, precedence, and the errors for those that cannot work."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import os
import pickle
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from wxpay_dsl import ConfigurationError, Wechatpay
from wxpay_dsl.settings.options import ClientOptions
from wxpay_dsl.settings.settings import ENVIRONMENT, NAMES, Settings, read_profile
from wxpay_dsl.settings.spec_folders import at_import
from wxpay_dsl.wechat.crypto.certificates import certificate_serial
from wxpay_dsl.wechat.crypto.keys import load_private_key

MCHID = "1900000109"
SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
APIV3_KEY = "0123456789abcdefghijKLMNOPqrstuv"
SECRET = "192006250b4c09247ec02edce69f6a2d"
PUBLIC_KEY_ID = "PUB_KEY_ID_0000000000000024101100397200000006"


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def certificate_pem(key: rsa.RSAPrivateKey, serial: str = SERIAL) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(serial, 16))
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@frozen
class Keys:
    """Keys of a merchant and of the platform."""

    merchant: rsa.RSAPrivateKey
    platform: rsa.RSAPrivateKey

    def given(self, **changes: Any) -> dict[str, Any]:
        """What a merchant in public-key mode gives."""
        return {
            "mchid": MCHID,
            "serial": SERIAL,
            "private_key": private_pem(self.merchant),
            "platform_keys": {PUBLIC_KEY_ID: public_pem(self.platform)},
            "apiv3_key": APIV3_KEY,
            **changes,
        }


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys(*(rsa.generate_private_key(65537, 2048) for _ in range(2)))


@pytest.fixture
def profile(tmp_path: Path, keys: Keys) -> Path:
    """A profile beside the files that it names."""
    home = tmp_path / "home"
    (home / "specs").mkdir(parents=True)
    (home / "apiclient_key.pem").write_text(private_pem(keys.merchant))
    (home / "pub_key.pem").write_text(public_pem(keys.platform))
    file = home / "wxpay.toml"
    file.write_text(
        f'mchid = "{MCHID}"\nserial = "{SERIAL}"\nprivate_key = "apiclient_key.pem"\napiv3_key = "{APIV3_KEY}"\n'
        'specs = ["specs"]\nstrict = true\nvalidate = "strict"\ntimeout = 12.5\n\n'
        f'[platform_keys]\n{PUBLIC_KEY_ID} = "pub_key.pem"\n'
    )
    return file


class TestSources:
    def test_arguments_alone(self, keys: Keys) -> None:
        settings = Settings.load(keys.given(), environment={})
        assert (settings.mchid, settings.serial) == (MCHID, SERIAL)
        assert [key.id for key in settings.keys] == [PUBLIC_KEY_ID]
        assert settings.apiv3_key == APIV3_KEY.encode()
        assert settings.base_url == "https://api.mch.weixin.qq.com"
        assert (settings.one_host, settings.strict, settings.validate, settings.timeout) == (False, False, True, 30.0)

    def test_the_environment_alone(self, keys: Keys, tmp_path: Path) -> None:
        (tmp_path / "pub.pem").write_text(public_pem(keys.platform))
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        environment = {
            "WXPAY_MCHID": MCHID,
            "WXPAY_SERIAL": SERIAL,
            "WXPAY_PRIVATE_KEY": private_pem(keys.merchant).replace("\n", "\\n"),
            "WXPAY_PLATFORM_KEYS": f" {PUBLIC_KEY_ID} = {tmp_path / 'pub.pem'} ,",
            "WXPAY_BASE_URL": "http://127.0.0.1:18080/",
            "WXPAY_SPECS": os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]),
            "WXPAY_TIMEOUT": "5",
            "WXPAY_APIV2_KEY": SECRET,
            "UNRELATED": "x",
        }
        settings = Settings.load({}, environment)
        assert [key.id for key in settings.keys] == [PUBLIC_KEY_ID]
        assert (settings.base_url, settings.one_host) == ("http://127.0.0.1:18080", True)
        assert settings.specs == (str(tmp_path / "a"), str(tmp_path / "b"))
        assert (settings.timeout, settings.apiv2_key) == (5.0, SECRET)

    def test_a_profile_alone_and_its_files_beside_it(
        self, profile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        settings = Settings.load({}, {}, profile=profile)
        assert settings.specs == (str(profile.parent / "specs"),)
        assert (settings.strict, settings.validate, settings.timeout) == (True, "strict", 12.5)
        assert [key.id for key in settings.keys] == [PUBLIC_KEY_ID]
        assert Settings.load({}, {"WXPAY_PROFILE": str(profile)}).mchid == MCHID
        assert Settings.load({}, {"WXPAY_PROFILE": "home/wxpay.toml"}).specs == settings.specs

    def test_arguments_win_over_the_environment_and_that_over_the_profile(self, profile: Path) -> None:
        environment = {"WXPAY_PROFILE": str(profile), "WXPAY_TIMEOUT": "7", "WXPAY_MCHID": "1900000222"}
        settings = Settings.load({"timeout": 8}, environment)
        assert (settings.mchid, settings.timeout, settings.serial) == ("1900000222", 8.0, SERIAL)

    def test_an_argument_of_none_and_an_empty_variable_say_nothing(self, profile: Path) -> None:
        environment = {"WXPAY_PROFILE": str(profile), "WXPAY_MCHID": "", "WXPAY_TIMEOUT": ""}
        settings = Settings.load({"mchid": None, "timeout": None}, environment)
        assert (settings.mchid, settings.timeout) == (MCHID, 12.5)

    def test_a_profile_that_is_given_wins_over_the_environments(self, profile: Path) -> None:
        assert Settings.load({}, {"WXPAY_PROFILE": "/nowhere.toml"}, profile=profile).mchid == MCHID

    def test_an_absolute_path_and_a_home_in_a_profile(
        self, profile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("HOME", str(profile.parent))
        text = profile.read_text()
        other = tmp_path / "other.toml"
        other.write_text(
            text.replace('"apiclient_key.pem"', f'"{profile.parent}/apiclient_key.pem"')
            .replace('"pub_key.pem"', '"~/pub_key.pem"')
            .replace('["specs"]', '["~/specs"]')
        )
        settings = Settings.load({}, {}, profile=other)
        assert settings.specs == (str(profile.parent / "specs"),)

    def test_a_client_takes_them_all(self, profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WXPAY_TIMEOUT", "9")
        client = Wechatpay(profile=profile, strict=False)
        settings = client.settings
        assert (settings.mchid, settings.timeout, settings.strict) == (MCHID, 9.0, False)

    def test_every_setting_is_an_argument_of_the_client(self) -> None:
        assert set(NAMES) == set(ClientOptions.__annotations__)
        assert set(ENVIRONMENT) < set(NAMES)
        assert all(variable == f"WXPAY_{name.upper()}" for name, variable in ENVIRONMENT.items())

    def test_each_setting_is_taken_by_name(self, keys: Keys) -> None:
        for name in NAMES:
            Wechatpay(**{**keys.given(), name: keys.given().get(name)})
        Wechatpay(**keys.given(), profile=None)

    def test_a_misspelt_argument_is_a_type_error_that_holds_no_secret(self, keys: Keys) -> None:
        message = "Wechatpay.* unexpected keyword argument 'apiv3key'; did you mean 'apiv3_key'?"
        with pytest.raises(TypeError, match=message) as raised:
            Wechatpay(**keys.given(apiv3_key=None), apiv3key=APIV3_KEY)
        # Of the package's own frames: this one holds the key anyway.
        frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)][1:]
        assert frames
        assert all(APIV3_KEY not in repr(frame.f_locals) for frame in frames)


class TestForms:
    def test_the_serial_comes_from_the_certificate(self, keys: Keys) -> None:
        given = keys.given(serial=None, certificate=certificate_pem(keys.merchant))
        assert Settings.load(given, {}).serial == SERIAL

    def test_a_serial_as_openssl_writes_it(self, keys: Keys) -> None:
        colons = ":".join(SERIAL[i : i + 2] for i in range(0, 40, 2)).lower()
        assert Settings.load(keys.given(serial=colons), {}).serial == SERIAL

    def test_leading_zeros_stay(self, keys: Keys) -> None:
        serial = "0012" + SERIAL[4:]
        assert Settings.load(keys.given(serial=serial), {}).serial == serial
        certificate = x509.load_pem_x509_certificate(certificate_pem(keys.merchant, serial).encode())
        assert certificate_serial(certificate).zfill(40) == serial

    def test_a_merchant_id_that_is_a_number(self, keys: Keys) -> None:
        assert Settings.load(keys.given(mchid=1900000109), {}).mchid == MCHID

    def test_a_private_key_of_any_form(self, keys: Keys, tmp_path: Path) -> None:
        file = tmp_path / "key.pem"
        file.write_text(private_pem(keys.merchant))
        der = keys.merchant.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for form in (file, str(file), f"file://{file}", file.read_bytes(), der, keys.merchant):
            assert Settings.load(keys.given(private_key=form), {}).mchid == MCHID

    def test_a_signer_of_ones_own(self, keys: Keys) -> None:
        class Vault:
            scheme = "WECHATPAY2-SHA256-RSA2048"

            async def sign(self, message: bytes) -> str:
                return "c2ln"

        vault = Vault()
        assert Settings.load(keys.given(private_key=vault), {}).signer is vault

    def test_a_private_key_in_base64_of_its_pem(self, keys: Keys, tmp_path: Path) -> None:
        """As ``base64 apiclient_key.pem`` makes it for a variable or a mounted secret."""
        lines = base64.encodebytes(private_pem(keys.merchant).encode())
        file = tmp_path / "key.b64"
        file.write_bytes(lines)
        for form in (lines.decode(), base64.b64encode(private_pem(keys.merchant).encode()).decode(), file):
            assert Settings.load(keys.given(private_key=form), {}).mchid == MCHID
        named = {PUBLIC_KEY_ID: base64.b64encode(public_pem(keys.platform).encode()).decode()}
        assert [key.id for key in Settings.load(keys.given(platform_keys=named), {}).keys] == [PUBLIC_KEY_ID]

    def test_base64_of_base64_is_not_read(self, keys: Keys) -> None:
        twice = base64.b64encode(base64.b64encode(private_pem(keys.merchant).encode())).decode()
        with pytest.raises(ConfigurationError, match=r"`private_key`: "):
            Settings.load(keys.given(private_key=twice), {})

    def test_an_encrypted_private_key_is_taken_loaded(self, keys: Keys) -> None:
        encrypted = keys.merchant.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
        with pytest.raises(ConfigurationError, match=r"encrypted: .*load_private_key.*openssl pkey -in"):
            Settings.load(keys.given(private_key=encrypted), {})
        assert Settings.load(keys.given(private_key=load_private_key(encrypted, "hunter2")), {}).mchid == MCHID

    @pytest.mark.parametrize(
        "form",
        [
            '{{"{id}": "{file}"}}',
            ' {{ "{id}" : "{file}" }} \n',
            "{id}={file}",
            "\n{id} = {file}\n",
            "pub_key_id_" + PUBLIC_KEY_ID[11:] + "={file}",
            "{id}={pem}",
            "{id}={pem},",
        ],
        ids=["JSON", "JSON with blanks", "pair", "lines", "lower case", "PEM", "PEM with a comma"],
    )
    def test_platform_keys_in_a_variable(self, keys: Keys, form: str, tmp_path: Path) -> None:
        (tmp_path / "pub.pem").write_text(public_pem(keys.platform))
        text = form.format(id=PUBLIC_KEY_ID, file=tmp_path / "pub.pem", pem=public_pem(keys.platform))
        settings = Settings.load(keys.given(platform_keys=None), {"WXPAY_PLATFORM_KEYS": text})
        assert [key.id for key in settings.keys] == [PUBLIC_KEY_ID]

    def test_a_platform_certificates_serial_as_openssl_writes_it(self, keys: Keys) -> None:
        serial = "6" + SERIAL[1:]
        colons = ":".join(serial[i : i + 2] for i in range(0, 40, 2)).lower()
        settings = Settings.load(keys.given(platform_keys={colons: certificate_pem(keys.platform, serial)}), {})
        assert [key.id for key in settings.keys] == [serial]

    def test_apiv2_alone_takes_a_certificate_and_its_key(self, keys: Keys) -> None:
        pair = {"private_key": private_pem(keys.merchant), "certificate": certificate_pem(keys.merchant)}
        settings = Settings.load({"mchid": MCHID, "apiv2_key": SECRET, **pair}, {})
        assert settings.client_certificate is not None
        assert (settings.serial, len(settings.keys), settings.apiv3_key) == (SERIAL, 0, None)

    def test_a_private_key_and_a_serial_are_those_of_apiv3(self, keys: Keys) -> None:
        given = {**keys.given(platform_keys=None, apiv3_key=None), "apiv2_key": SECRET}
        with pytest.raises(ConfigurationError, match="no key to verify responses with"):
            Settings.load(given, {})

    def test_certificate_mode_needs_no_certificate_yet(self, keys: Keys) -> None:
        assert len(Settings.load(keys.given(platform_keys=None), {}).keys) == 0

    def test_public_key_mode_needs_no_apiv3_key(self, keys: Keys) -> None:
        assert Settings.load(keys.given(apiv3_key=None), {}).apiv3_key is None

    def test_apiv3_key_as_bytes(self, keys: Keys) -> None:
        assert Settings.load(keys.given(apiv3_key=APIV3_KEY.encode()), {}).apiv3_key == APIV3_KEY.encode()


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no merchant id": (
        {"mchid": None},
        "商户号.* is missing: give `mchid` as an argument, in the profile, or as WXPAY_MCHID",
    ),
    "an appid for a merchant id": (
        {"mchid": "wx8888888888888888"},
        "`mchid` .*is digits only, .* not 'wx8888888888888888'",
    ),
    "no private key": ({"private_key": None}, "商户API私钥, apiclient_key.pem.* is missing: give `private_key`"),
    "no serial": ({"serial": None}, "商户API证书序列号.* is missing: give `serial`"),
    "the platform's id for a serial": (
        {"serial": PUBLIC_KEY_ID},
        "`serial` is WeChat Pay's public key id .*; give the serial of the merchant's own certificate",
    ),
    "a serial that is none": ({"serial": "not hex"}, "`serial` is 8 to 40 hexadecimal digits, .* not 'NOT HEX'"),
    "nothing to verify with": (
        {"platform_keys": None, "apiv3_key": None},
        "no key to verify responses with: give `platform_keys`",
    ),
    "an APIv3 key of 31 characters": ({"apiv3_key": "x" * 31}, "`apiv3_key` .* is 32 bytes, .* not 31 bytes"),
    "an APIv3 key of 32 Chinese characters": ({"apiv3_key": "密" * 32}, "`apiv3_key` .* is 32 bytes, .* not 96 bytes"),
    "an APIv3 key that is a number": ({"apiv3_key": 32}, "`apiv3_key` .* not int"),
    "an APIv2 key that is too short": (
        {"apiv2_key": "x" * 31},
        "`apiv2_key` .* is 32 ASCII characters, .* not 31 characters",
    ),
    "an APIv2 key with a line break": (
        {"apiv2_key": SECRET + "\n"},
        "not 33 characters .there are blanks or a line break",
    ),
    "an APIv3 key with a blank": ({"apiv3_key": " " + APIV3_KEY}, "not 33 bytes .there are blanks or a line break"),
    "platform keys that are a list": (
        {"platform_keys": ["pub_key.pem"]},
        "`platform_keys` is a mapping of .* not a value of list",
    ),
    "platform keys without an id": (
        {"platform_keys": "pub_key.pem"},
        "`platform_keys` .* as text is ID=FILE,ID=FILE, .*'pub_key.pem' has no `=`",
    ),
    "platform keys that nearly are JSON": (
        {"platform_keys": "{'PUB_KEY_ID_1': 'a.pem'}"},
        "begins as JSON but is not valid JSON",
    ),
    "platform keys of JSON lists": ({"platform_keys": '{"PUB_KEY_ID_1": ["a.pem"]}'}, "a JSON object of texts"),
    "one id twice": ({"platform_keys": "PUB_KEY_ID_1=a.pem,PUB_KEY_ID_1=b.pem"}, "'PUB_KEY_ID_1' occurs twice"),
    "a file's name for a platform key's id": (
        {"platform_keys": {"pub_key.pem": PUBLIC_KEY_ID}},
        "platform key 'pub_key.pem': an id is PUB_KEY_ID_… .*; the id and the file are swapped",
    ),
    "half an id": (
        {"platform_keys": {"PUB_KEY_ID_": "/nowhere.pem"}},
        "platform key 'PUB_KEY_ID_': an id is PUB_KEY_ID_… with",
    ),
    "a word for a platform key's id": (
        {"platform_keys": {"wechatpay": "/nowhere.pem"}},
        "platform key 'wechatpay': an id is",
    ),
    "the merchant id for a platform key's id": (
        {"platform_keys": {MCHID: "/nowhere.pem"}},
        f"`platform_keys`: {MCHID} is the merchant id",
    ),
    "a text for strict": ({"strict": "false"}, "`strict` is true or false, without quotes, not 'false'"),
    "a number for the WeCom secret": ({"wecom_secret": 7}, "`wecom_secret` is text, in quotes in a profile, not int"),
    "a password that is a number": ({"p12": "/nowhere.p12", "p12_password": 1}, "`p12_password` is text, in quotes"),
    "authorities that are a number": ({"ca": 7}, "`ca` is a PEM file, or its text, not int"),
    "a backup of half an address": ({"backup_url": "http://[::1"}, "`backup_url` is an origin"),
    "a number with a separator": ({"max_connections": "1_0"}, "`max_connections` is a whole number .* not '1_0'"),
    "a number in other digits": ({"retries": "٣"}, "`retries` is a whole number"),
    "a time with an exponent": ({"timeout": "1e1"}, "`timeout` is seconds above 0, not '1e1'"),
    "a time that is true": ({"timeout": True}, "`timeout` is seconds above 0, not True"),
    "a file that is not there": (
        {"private_key": "/nowhere/key.pem"},
        "`private_key`: .*no such file: /nowhere/key.pem",
    ),
    "a platform key that is not there": (
        {"platform_keys": {PUBLIC_KEY_ID: "/nowhere.pem"}},
        "`platform_keys`: .*no such file: /nowhere.pem",
    ),
    "a certificate that is not there": ({"certificate": "/nowhere.pem"}, "`certificate`: .*no such file: /nowhere.pem"),
    "a base URL without a scheme": ({"base_url": "api.example.com"}, "`base_url` is an origin such as https://"),
    "a base URL without TLS": ({"base_url": "http://api.example.com"}, "only a loopback address is called without TLS"),
    "a base URL with a query": ({"base_url": "https://a.example/?b=c"}, "`base_url` is an origin"),
    "a base URL with a password": ({"base_url": "https://user:hunter2@a.example"}, "`base_url` is an origin"),
    "a base URL of half an address": ({"base_url": "http://[::1"}, "`base_url` is an origin"),
    "a base URL with no such port": ({"base_url": "http://127.0.0.1:99999"}, "`base_url` is an origin"),
    "no time at all": ({"timeout": 0}, "`timeout` is seconds above 0, not 0"),
    "a time that is none": ({"timeout": "soon"}, "`timeout` is seconds above 0, not 'soon'"),
    "a time that is no number": ({"timeout": float("nan")}, "`timeout` is seconds above 0, not nan"),
    "half a validation": ({"validate": "sometimes"}, "`validate` is True, False or 'strict', not 'sometimes'"),
    "a folder that is not there": ({"specs": ["/nowhere"]}, "`specs`: /nowhere is not a folder"),
    "folders that are a number": ({"specs": 7}, "`specs` is a list of folders, not 7"),
    "a setting that there is not": ({"merchant_id": "1"}, "'merchant_id' is not a setting"),
    "a misspelt setting": ({"apiv3key": "x"}, "'apiv3key' is not a setting; did you mean 'apiv3_key'?"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_work_is_refused_with_a_reason(keys: Keys, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        Settings.load(keys.given(**changes), environment={})
    shown = "".join(traceback.format_exception(raised.value))
    for secret in (APIV3_KEY, "hunter2", private_pem(keys.merchant).splitlines()[3]):
        assert secret not in shown


class TestContentsInTheWrongPlace:
    """What is long is counted, whatever it is and wherever it was put: it may be the merchant's secrets."""

    LONG = "hunter2 " * 40_000

    @pytest.mark.parametrize(
        "place",
        [
            *(
                "mchid",
                "serial",
                "private_key",
                "certificate",
                "p12",
                "p12_password",
                "platform_keys",
                "apiv3_key",
                "apiv2_key",
            ),
            *("ca", "proxy", "base_url", "backup_url", "specs", "timeout", "certificate_store", "certificates_path"),
            *("v2_sandbox", "validate", "retries", "public_key_ratio", "hooks", "strict", "id", "name", "profile"),
        ],
    )
    @pytest.mark.parametrize("form", ["text", "path", "null"])
    def test_an_error_is_short_and_shows_none_of_it(self, keys: Keys, place: str, form: str, tmp_path: Path) -> None:
        text = "\0" + self.LONG if form == "null" else self.LONG
        value: Any = Path(text) if form == "path" else text
        given, profile = keys.given(), None
        if place == "profile":
            profile = value
        elif place in ("id", "name"):
            given |= {"platform_keys": {text: "pub_key.pem"}} if place == "id" else {text: "1"}
        else:
            given[place] = (
                {PUBLIC_KEY_ID: value} if place == "platform_keys" else [value] if place == "specs" else value
            )
        if place == "p12_password":
            given["p12"] = tmp_path / "nowhere.p12"
        with pytest.raises(ConfigurationError) as raised:
            Settings.load(given, environment={}, profile=profile)
        assert len(str(raised.value)) < 600
        assert str(raised.value).count("hunter2") <= 10  # of a setting's unknown name the beginning

    def test_the_text_of_a_profile_for_its_name(self, profile: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"`profile` is the name of a TOML file, not .a text of") as raised:
            Settings.load({}, environment={}, profile=profile.read_text())
        assert APIV3_KEY not in str(raised.value)

    def test_a_redis_whose_password_is_not_encoded(self, keys: Keys) -> None:
        with pytest.raises(ConfigurationError, match=r"no URL of a Redis, .*: percent-encode") as raised:
            Settings.load(keys.given(certificate_store="redis://:hunt/er2@127.0.0.1:6379/0"), environment={})
        assert "hunt" not in str(raised.value)


class TestKeysInTheWrongPlace:
    def refused(self, given: dict[str, Any]) -> str:
        with pytest.raises(ConfigurationError) as raised:
            Settings.load(given, environment={})
        return str(raised.value)

    def test_the_merchants_serial_among_the_platform_keys(self, keys: Keys) -> None:
        message = self.refused(keys.given(platform_keys={SERIAL.lower(): certificate_pem(keys.merchant)}))
        assert f"`platform_keys` holds the merchant's own certificate {SERIAL}: give WeChat Pay's public key" in message

    def test_the_merchants_own_key_under_the_platforms_id(self, keys: Keys) -> None:
        message = self.refused(keys.given(platform_keys={PUBLIC_KEY_ID: public_pem(keys.merchant)}))
        assert "holds the merchant's own public key; it must be the one of WeChat Pay" in message

    def test_a_certificate_where_the_private_key_belongs(self, keys: Keys) -> None:
        message = self.refused(keys.given(private_key=certificate_pem(keys.merchant)))
        assert "`private_key`: " in message
        assert "this is a certificate, as apiclient_cert.pem is; the private key is in apiclient_key.pem" in message

    def test_a_private_key_where_the_platforms_belongs(self, keys: Keys) -> None:
        message = self.refused(keys.given(platform_keys={PUBLIC_KEY_ID: private_pem(keys.platform)}))
        assert "`platform_keys`: " in message
        assert "this is a private key; WeChat Pay's public key is in pub_key.pem" in message

    def test_a_key_that_does_not_match_its_certificate(self, keys: Keys) -> None:
        message = self.refused(keys.given(certificate=certificate_pem(keys.platform)))
        assert "`private_key` and `certificate` do not match" in message

    def test_a_serial_that_is_not_the_certificates(self, keys: Keys) -> None:
        other = "6" + SERIAL[1:]
        message = self.refused(keys.given(serial=other, certificate=certificate_pem(keys.merchant)))
        assert message == f"`serial` is {other}, but the certificate's is {SERIAL}"

    @pytest.mark.parametrize(
        "place", ["mchid", "serial", "base_url", "private_key", "platform_keys", "validate", "timeout"]
    )
    def test_a_secret_in_the_wrong_place_is_not_shown(self, keys: Keys, place: str) -> None:
        value: Any = {PUBLIC_KEY_ID: APIV3_KEY} if place == "platform_keys" else APIV3_KEY
        if place in ("validate", "timeout"):
            value = private_pem(keys.merchant)
        message = self.refused(keys.given(**{place: value}))
        assert APIV3_KEY not in message
        assert private_pem(keys.merchant).splitlines()[1][:20] not in message


class TestProfiles:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("mchid = ", "is not TOML"),
            ("mchid = '1'\nmchid = '2'", "is not TOML"),
            ("mch_id = '1'", "'mch_id' is not a setting; did you mean 'mchid'?"),
            ("platform_keys = 'pub_key.pem'", "`platform_keys` is a table of platform key id to file"),
            ("specs = 7", "`specs` is a list of folders"),
            (
                "[platform_keys]\nPUB_KEY_ID_1 = 'a.pem'\napiv3_key = 'x'",
                "`apiv3_key` is below [platform_keys], .*: move it above",
            ),
            ("[platform_keys]\ntimeout = 5", "`timeout` is below [platform_keys]"),
            ("[wxpay]\nmchid = '1'", "'wxpay' is not a setting; settings belong at the top of a profile"),
            ("a = " + "[" * 100_000, "is not TOML"),
            ("x" * 300_000 + " = 1", "is not a setting"),
        ],
    )
    def test_mistakes_name_the_profile(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "wxpay.toml"
        file.write_text(text)
        with pytest.raises(ConfigurationError) as raised:
            read_profile(file)
        assert re.search(message.replace("[", r"\["), str(raised.value)) or message in str(raised.value)
        assert str(file) in str(raised.value)
        assert len(str(raised.value)) < 500

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
            read_profile(tmp_path / "nothing.toml")

    def test_one_that_is_not_utf_8(self, tmp_path: Path) -> None:
        (tmp_path / "wxpay.toml").write_bytes("mchid = '1'\n# 商".encode("gbk"))
        with pytest.raises(ConfigurationError, match=r"is not UTF-8, .* another encoding .line 2.; save it as UTF-8"):
            read_profile(tmp_path / "wxpay.toml")
        (tmp_path / "wxpay.toml").write_text("mchid = '1'", "utf-16")
        with pytest.raises(ConfigurationError, match="in UTF-16"):
            read_profile(tmp_path / "wxpay.toml")

    def test_one_with_a_byte_order_mark_is_read(self, profile: Path) -> None:
        plain = Settings.load({}, {}, profile=profile)
        profile.write_bytes(b"\xef\xbb\xbf" + profile.read_bytes())
        settings = Settings.load({}, {}, profile=profile)
        assert (settings.mchid, settings.specs) == (plain.mchid, plain.specs)
        assert at_import({"WXPAY_PROFILE": str(profile)}) == list(plain.specs)

    def test_one_that_has_no_end(self, tmp_path: Path) -> None:
        (tmp_path / "wxpay.toml").write_bytes(b"#" * (2 << 20))
        with pytest.raises(ConfigurationError, match="is larger than 1048576 bytes"):
            read_profile(tmp_path / "wxpay.toml")


class TestSecrets:
    def test_are_in_no_repr(self, keys: Keys) -> None:
        settings = Settings.load(keys.given(apiv2_key=SECRET, proxy="http://user:hunter2@127.0.0.1:1"), {})
        for shown in (repr(settings), str(settings), f"{settings}", repr(settings.signer), repr(settings.keys)):
            for secret in (APIV3_KEY, SECRET, "hunter2", "PRIVATE", str(keys.merchant.private_numbers().d)):
                assert secret not in shown

    def test_are_in_no_pickle_and_no_copy(self, keys: Keys) -> None:
        settings = Settings.load(keys.given(), {})
        for thing in (settings, settings.signer, Wechatpay(**keys.given())):
            with pytest.raises(TypeError, match=r"never pickled|cannot be pickled"):
                pickle.dumps(thing)
        with pytest.raises(TypeError, match="never pickled"):
            copy.deepcopy(settings)
