"""No secret of a merchant is in a repr, a traceback, a log, a pickle, a process list, or on a command line."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import logging
import os
import pickle
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from wxpay_dsl import Notifications, SdkError, Wechatpay
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.merchant_keys import MerchantKeys

#: A secret that its owner would know again anywhere.
PASSWORD = "hunter2-is-no-password"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


def secrets_of(sandbox: Sandbox) -> list[str]:
    """What must be nowhere: the keys as text, and the numbers of the private one in both notations."""
    merchant = sandbox.merchant
    numbers = merchant.private_key.private_numbers()
    pem = merchant.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    lines = pem.splitlines()[1:-1]
    return [
        merchant.apiv3_key,
        merchant.apiv2_key,
        *lines[2:-1],
        *(str(n)[:60] for n in (numbers.d, numbers.p, numbers.q)),
    ]


def assert_clean(text: str, secrets: list[str]) -> None:
    for secret in secrets:
        assert secret not in text, f"{secret[:6]}… in …{text[max(0, text.index(secret) - 200) : text.index(secret)]}"


async def parts_of(wxpay: Wechatpay) -> dict[str, Any]:
    """Whatever of a client may be in a local variable, and so in a report of an error."""
    settings, parts = wxpay.settings, wxpay._assembled
    response = await wxpay.v3.certificates.get()
    return {
        "client": wxpay,
        "settings": settings,
        "parts": parts,
        "core client": wxpay.client,
        "keyring": wxpay.keyring,
        "credential": parts.credential,
        "signer": settings.signer,
        "decryptor": settings.decryptor,
        "client certificate": settings.client_certificate,
        "merchant_keys": wxpay.merchant_keys,
        "notifications": Notifications(wxpay, store="memory"),
        "payment params": wxpay.payment_params,
        "response": response,
        "exchange": response.exchange,
        "request": response.exchange.request,
        "node": wxpay.v3.certificates,
        "transport": wxpay.transport,
        "shared": parts.shared,
    }


async def test_a_repr_shows_none(sandbox: Sandbox) -> None:
    async with Wechatpay(**sandbox.credentials, p12_password=PASSWORD) as wxpay:
        for name, part in (await parts_of(wxpay)).items():
            assert_clean(f"{name}: {part!r} {part!s}", [*secrets_of(sandbox), PASSWORD])


async def test_a_pickle_holds_none(sandbox: Sandbox) -> None:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        for name, part in (await parts_of(wxpay)).items():
            try:
                pickled = pickle.dumps(part)
            except TypeError as error:
                # What holds a secret says so. What came and went holds none; its spec cannot be pickled.
                if name not in ("response", "exchange", "request"):
                    assert "never pickled" in str(error) or "cannot be pickled" in str(error), name  # noqa: PT017
                continue
            assert_clean(f"{name}: {pickled!r}", secrets_of(sandbox))
            assert name in ("response", "exchange", "request"), (
                "only what came and went can be handed to another process"
            )


def broken_calls(sandbox: Sandbox, wxpay: Wechatpay) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Calls that fail, each in another layer."""
    order = {"appid": "wx8888888888888888", "mchid": wxpay.settings.mchid, "description": "茶", "out_trade_no": "A1"}
    order |= {"notify_url": "https://shop.example/n", "amount": {"total": 1}}
    v2 = {"appid": "wx8888888888888888", "body": "茶", "out_trade_no": "A2", "total_fee": 1, "spbill_create_ip": "::1"}
    v2 |= {"notify_url": "https://shop.example/n", "trade_type": "NATIVE"}

    def faulty(kind: str) -> dict[str, str]:
        return {"Sandbox-Fault": kind}

    return {
        "nothing is valid": lambda: wxpay.v3.pay.transactions.native.post({**order, "amount": {"total": 0.5}}),
        "refused": lambda: wxpay.v3.pay.transactions.id["1"].get(mchid=wxpay.settings.mchid),
        "badly signed": lambda: wxpay.v3.pay.transactions.native.post(order, headers=faulty("bad-signature")),
        "down": lambda: wxpay.v3.pay.transactions.native.post(order, headers=faulty("system-error"), timeout=1),
        "no answer": lambda: wxpay.v3.pay.transactions.native.post(order, headers=faulty("delay=3"), timeout=0.2),
        "v2, not valid": lambda: wxpay.v2.pay.unifiedorder.post({**v2, "total_fee": 0.5}),
        "v2, badly signed": lambda: wxpay.v2.pay.unifiedorder.post(v2, headers=faulty("bad-signature")),
        "v2, half a character": lambda: wxpay.v2.pay.unifiedorder.post({**v2, "body": "\ud800"}),
    }


NAMES = [
    *("nothing is valid", "refused", "badly signed", "down", "no answer"),
    *("v2, not valid", "v2, badly signed", "v2, half a character"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_traceback_with_all_its_variables_shows_none(
    name: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """As error trackers send it: every local variable of every frame; and everything logged on the way."""
    async with Wechatpay(**sandbox.credentials) as wxpay:
        with caplog.at_level(logging.DEBUG), pytest.raises(SdkError) as raised:
            await broken_calls(sandbox, wxpay)[name]()
    chain: list[BaseException] = [raised.value]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(below)
    for error in chain:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The frames of this test hold the sandbox, whose secrets they are.
        report.stack[:] = [frame for frame in report.stack if "/wxpay_dsl/" in frame.filename]
        assert_clean("".join(report.format(chain=False)), secrets_of(sandbox))
        assert_clean(f"{error!r} {vars(error) if hasattr(error, '__dict__') else ''}", secrets_of(sandbox))
    assert_clean(caplog.text, secrets_of(sandbox))
    signatures = [record.getMessage() for record in caplog.records if 'signature="' in record.getMessage()]
    assert signatures == []


@pytest.mark.parametrize("forged", ["body", "signature", "ciphertext", "v2", "v2 refund"])
async def test_nor_does_that_of_a_notification(forged: str, sandbox: Sandbox) -> None:
    from tests.notify.conftest import PAYMENT_V2, make_sender

    sender = make_sender()
    secrets = [sender.merchant.apiv3_key, sender.merchant.apiv2_key]
    if forged == "v2 refund":
        wire = sender.xml({"mch_id": sender.merchant.mchid, "req_info": "QUJD" * 8}, None)
    elif forged == "v2":
        wire = sender.xml({**PAYMENT_V2, "sign": "A" * 32}, None)
    else:
        wire = sender.sealed("{}", nonce="123456789012") if forged == "ciphertext" else sender.event()
        if forged == "signature":
            wire.headers["Wechatpay-Signature"] = "QUJD"
    body = wire.body + b" " if forged == "body" else wire.body
    with pytest.raises(SdkError) as raised:
        await Notifications(sender.merchant_keys, store="memory").parse(wire.headers, body)
    chain: list[BaseException] = [raised.value]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(below)
    for error in chain:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        report.stack[:] = [frame for frame in report.stack if "/wxpay_dsl/" in frame.filename]
        assert_clean("".join(report.format(chain=False)), secrets)


def openings(sandbox: Sandbox, key: str) -> dict[str, Callable[[], Any]]:
    """What fails while a key of the merchant's is being used, each in another place."""
    from tests.notify.conftest import make_sender
    from wxpay_dsl.notify.parsing.v3 import open_v3
    from wxpay_dsl.wechat.crypto import ciphers, shangmi
    from wxpay_dsl.wechat.platform_keys.certificates import decrypt_certificates

    pair = make_sender().pair
    certs = {pair.id: pair.private_key.public_key()}
    sealed = {"algorithm": "AEAD_AES_256_GCM", "nonce": "0" * 12, "ciphertext": "QUJD" * 9}
    entry = {"serial_no": "0A", "encrypt_certificate": sealed}
    sm4 = {"resource": {**sealed, "algorithm": shangmi.ALGORITHM}, "id": "1", "event_type": "X"}

    async def download() -> None:
        async with Wechatpay(**{**sandbox.credentials, "platform_keys": {}, "retries": 0}) as wxpay:
            await wxpay.keyring.preferred()

    return {
        "SM4": lambda: shangmi.aead_decrypt("QUJD" * 9, key, "0" * 12, ""),
        "SM4, no base64": lambda: shangmi.aead_decrypt("?", key, "0" * 12, ""),
        "GCM": lambda: ciphers.aead_decrypt("QUJD" * 9, key, "0" * 12, ""),
        "GCM, too short a key": lambda: ciphers.aead_decrypt("QUJD" * 9, key[:-1], "0" * 12, ""),
        "GCM, too short a key to encrypt": lambda: ciphers.aead_encrypt("x", key[:-1], "0" * 12, ""),
        "GCM, no nonce": lambda: ciphers.aead_encrypt("x", key, "", ""),
        "a notification under SM4": lambda: open_v3(
            json.dumps(sm4).encode(), (MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key=key),)
        ),
        "certificates": lambda: decrypt_certificates({"data": [entry]}, key),
        "certificates, too short a key": lambda: decrypt_certificates({"data": [entry]}, key[:-1]),
        "certificates, none": lambda: decrypt_certificates(b"{}", key),
        "a notified merchant's key": lambda: MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key=key[:-1]),
        "a notified merchant's certificate": lambda: MerchantKeys.of(
            "1900000109", platform_keys={"PUB_KEY_ID_1": "x"}, apiv3_key=key
        ),
        "a notified merchant's APIv2 key": lambda: MerchantKeys.of(
            "1900000109", platform_keys={"?": "x"}, apiv2_key=key
        ),
        "a notified merchant without keys": lambda: MerchantKeys.of("1900000109", apiv3_key=key),
        "a download": download,
    }


OPENINGS = [
    *("SM4", "SM4, no base64", "GCM", "GCM, too short a key", "GCM, too short a key to encrypt", "GCM, no nonce"),
    *("a notification under SM4", "certificates", "certificates, too short a key", "certificates, none"),
    *(
        "a notified merchant's key",
        "a notified merchant's certificate",
        "a notified merchant's APIv2 key",
        "a notified merchant without keys",
        "a download",
    ),
]


@pytest.mark.parametrize("name", OPENINGS)
async def test_nor_does_that_of_a_key_in_use(name: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def forged(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr("wxpay_dsl.wechat.v3.signing.verify", forged)
    key = sandbox.merchant.apiv3_key
    opening = openings(sandbox, key)[name]
    with pytest.raises(SdkError) as raised:
        await opened if inspect.isawaitable(opened := opening()) else opened
    chain: list[BaseException] = [raised.value]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(below)
    for error in chain:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        report.stack[:] = [frame for frame in report.stack if "/wxpay_dsl/" in frame.filename]
        assert report.stack or error is not raised.value
        assert_clean("".join(report.format(chain=False)), [key[:-1]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"apiv3_key": PASSWORD},
        {"apiv2_key": PASSWORD},
        {"mchid": PASSWORD},
        {"serial": PASSWORD},
        {"private_key": PASSWORD},
        {"private_key": f"-----BEGIN PRIVATE KEY-----\n{PASSWORD}"},
        {"certificate": PASSWORD},
        {"p12": PASSWORD},
        {"base_url": f"https://user:{PASSWORD}@api.example"},
        {"backup_url": f"https://user:{PASSWORD}@api.example"},
        {"proxy": f"ftp://user:{PASSWORD}@proxy.example"},
        {"certificate_store": f"redis://:{PASSWORD}@127.0.0.1:1/x y"},
        {"platform_keys": {"PUB_KEY_ID_01": PASSWORD}},
        {"platform_keys": PASSWORD},
        {"timeout": PASSWORD},
        {"retries": PASSWORD},
        {"validate": PASSWORD},
        {"v2_sandbox": PASSWORD},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_secret_in_the_wrong_setting_is_not_repeated(wrong: dict[str, Any], tmp_path: Path) -> None:
    given = {"mchid": "1900000109", "apiv2_key": "1" * 32}
    try:
        wxpay = Wechatpay(**{**given, **wrong})
    except ConfigurationError as error:
        shown = f"{error} {error!r} {error.__cause__} {error.__cause__!r}"
    else:
        shown = repr(wxpay.settings)
    assert PASSWORD not in shown


async def test_a_proxys_password_is_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def call(proxy: str) -> None:
        async with Wechatpay(mchid="1900000109", apiv2_key="1" * 32, proxy=proxy, retries=0, timeout=2.0) as wxpay:
            await wxpay.v2.pay.orderquery.post(appid="wx8888888888888888", out_trade_no="1", validate=False)

    for proxy in (f"http://user:{PASSWORD}@127.0.0.1:9", f"ftp://user:{PASSWORD}@127.0.0.1:9", f"user:{PASSWORD}@:x"):
        with caplog.at_level(logging.DEBUG), pytest.raises(SdkError) as raised:
            await call(proxy)
        cause = raised.value.__cause__
        assert PASSWORD not in f"{raised.value} {raised.value!r} {cause} {caplog.text}"


def test_merchant_keys_are_not_copied_into_a_pickle() -> None:
    merchant_keys = MerchantKeys.of("1900000109", apiv2_key="1" * 32)
    assert "1" * 32 not in repr(merchant_keys)
    with pytest.raises(TypeError):
        pickle.dumps(merchant_keys)
    with pytest.raises(TypeError):
        copy.copy(merchant_keys)


def commands(group: click.Group, above: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        path = (*above, name)
        found += commands(command, path) if isinstance(command, click.Group) else [(" ".join(path), command)]
    return found


def test_the_command_line_takes_no_secret() -> None:
    """What stands on a command line stands in `ps` and in the shell's history."""
    from wxpay_dsl.cli.program import program

    found = commands(program)
    assert len(found) > 10
    for path, command in found:
        for parameter in command.params:
            words = {*parameter.opts, *parameter.secondary_opts, str(parameter.name)}
            told = " ".join(words).lower().replace("-", "_")
            assert not any(
                word in told for word in ("apiv2_key", "password", "apiv3", "private_key", "p12", "token")
            ), path


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc")
async def test_ps_shows_none(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write_home(tmp_path / "home")
    # It waits for its data, so that it is there to be looked at.
    command = (sys.executable, "-m", "wxpay_dsl.cli", "call", "v3.certificates.get", "-d", "-", "--profile")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, tmp_path / "home/wxpay.toml", stdin=pipe, stdout=pipe)
    shown = _command_line(process.pid)
    ended = asyncio.ensure_future(process.communicate(b"{}"))
    while not ended.done():
        shown += await asyncio.to_thread(_command_line, process.pid)
        await asyncio.sleep(0.02)
    assert (await ended)[0].startswith(b'{"data"')
    assert b"wxpay.toml" in shown
    assert_clean(shown.decode("utf-8", "replace"), secrets_of(sandbox))


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_none_is_left_in_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that TLS can take from a file only is there encrypted, for its owner, and gone at once."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    from wxpay_dsl.sandbox.keys.identity import throwaway_merchant
    from wxpay_dsl.wechat.v2.mutual_tls import ClientCertificate, client_context

    merchant = throwaway_merchant("1900000109")
    seen: list[tuple[int, bytes]] = []
    write = os.fdopen

    def watched(descriptor: int, mode: str) -> Any:
        seen.append((os.fstat(descriptor).st_mode & 0o777, b""))
        return write(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", watched)
    client_context(ClientCertificate(merchant.private_key, merchant.certificate))
    assert [mode for mode, _ in seen] == [0o600]
    assert list(tmp_path.iterdir()) == []
