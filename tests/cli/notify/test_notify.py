"""``wxpay notify``: sends test notifications, and finds out why one does not verify."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.shell import Wxpay
from wxpay_dsl.sandbox.keys import home
from wxpay_dsl.sandbox.keys.identity import make_platform_certificate, throwaway_merchant, throwaway_public_key

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test


class Receiver(ThreadingHTTPServer):
    """A server that records requests, and responds with ``answer``."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answer: tuple[int, bytes] = (204, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append((dict(self.headers), body))
                self.send_response(outer.answer[0])
                self.send_header("Content-Length", str(len(outer.answer[1])))
                self.end_headers()
                self.wfile.write(outer.answer[1])

            def log_message(self, *args: Any) -> None:
                """Keeps the output of the tests free of logs."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/notify"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sandbox's home, with this process's keys."""
    certificate = make_platform_certificate()
    home.write(tmp_path / "home", throwaway_merchant(), throwaway_public_key(), certificate, "http://127.0.0.1:1")
    return tmp_path / "home"


class TestSend:
    def test_an_example_of_the_spec_with_fields_of_ones_own(
        self, wxpay: Wxpay, receiver: Receiver, folder: Path
    ) -> None:
        sent = wxpay(
            *("notify", "send", "TRANSACTION.SUCCESS", "--to", receiver.url, "--home", str(folder)),
            *("-p", "out_trade_no=T1", "-p", "amount.total=7"),
        )
        assert sent.code == 0, sent.err
        told = json.loads(sent.out)
        assert told["accepted"]
        assert told["attempts"] == [{"status": 204}]
        ((headers, body),) = receiver.received
        assert json.loads(body)["id"] == told["id"]
        verified = verify(wxpay, folder, headers, body)
        assert verified.code == 0, verified.out
        assert "decrypted: TRANSACTION.SUCCESS" in verified.out

    def test_copies_are_the_same_notification(self, wxpay: Wxpay, receiver: Receiver, folder: Path) -> None:
        sent = wxpay("notify", "send", "REFUND.SUCCESS", "--to", receiver.url, "--home", str(folder), "--copies", "5")
        assert sent.code == 0, sent.err
        assert len(receiver.received) == 5
        assert len({json.loads(body)["id"] for _, body in receiver.received}) == 1

    @pytest.mark.parametrize("event", ["v2/transaction-success", "v2/refund-processed", "v2/CHECK.SUCCESS"])
    def test_apiv2(self, event: str, wxpay: Wxpay, receiver: Receiver, folder: Path) -> None:
        receiver.answer = (200, b"<xml><return_code>SUCCESS</return_code></xml>")
        profile = str(folder / "wxpay.toml")
        sent = wxpay("notify", "send", event, "--to", receiver.url, "--profile", profile)
        assert sent.code == 0, sent.err
        ((headers, body),) = receiver.received
        verified = verify(wxpay, folder, headers, body)
        assert verified.code == 0, verified.out
        assert event in verified.out

    def test_a_server_that_says_no_is_told(self, wxpay: Wxpay, receiver: Receiver, folder: Path) -> None:
        receiver.answer = (401, b'{"code":"FAIL"}')
        sent = wxpay("notify", "send", "TRANSACTION.SUCCESS", "--to", receiver.url, "--home", str(folder))
        assert sent.code == 1
        told = json.loads(sent.out)
        assert not told["accepted"]
        assert told["attempts"][0]["status"] == 401
        assert "FAIL" in told["attempts"][0]["fault"]

    def test_a_server_that_is_not_there_is_told(self, wxpay: Wxpay, folder: Path) -> None:
        sent = wxpay("notify", "send", "TRANSACTION.SUCCESS", "--to", "http://127.0.0.1:1/", "--home", str(folder))
        assert sent.code == 1
        assert json.loads(sent.out)["attempts"][0]["status"] == 0

    def test_a_home_that_is_not_there_is_made(self, wxpay: Wxpay, receiver: Receiver, tmp_path: Path) -> None:
        sent = wxpay("notify", "send", "TRANSACTION.SUCCESS", "--to", receiver.url, "--home", "new")
        assert sent.code == 0, sent.err
        assert "wxpay.toml" in sent.err
        ((headers, body),) = receiver.received
        assert verify(wxpay, tmp_path / "new", headers, body).code == 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("TRANSACTION.SUCCES", "--to", "http://127.0.0.1/", "--home", "h"), "did you mean 'TRANSACTION.SUCCESS'"),
            (("TRANSACTION.SUCCESS", "--to", "https://example.com/", "--home", "h"), "loopback only"),
            (("TRANSACTION.SUCCESS", "--to", "http://10.0.0.1/", "--home", "h"), "loopback only"),
            (("TRANSACTION.SUCCESS", "--to", "http://127.0.0.1@example.com/", "--home", "h"), "loopback only"),
            (("TRANSACTION.SUCCESS", "--to", "http://127.0.0.1/"), "--home"),
            (("TRANSACTION.SUCCESS", "--to", "http://127.0.0.1/", "--home", "h", "-d", "[]"), "JSON object"),
            (("TRANSACTION.SUCCESS", "--to", "http://127.0.0.1/", "--home", "h", "-p", "x"), "KEY=VALUE"),
        ],
    )
    def test_what_cannot_be_is_a_usage_error(self, arguments: tuple[str, ...], said: str, wxpay: Wxpay) -> None:
        sent = wxpay("notify", "send", *arguments)
        assert sent.code == 2
        assert said in sent.err


def verify(wxpay: Wxpay, folder: Path, headers: dict[str, str], body: bytes, *, lines: bool = True) -> Any:
    text = "".join(f"{name}: {value}\n" for name, value in headers.items()) if lines else json.dumps(headers)
    (folder / "headers.txt").write_text(text, "utf-8")
    (folder / "body").write_bytes(body)
    return wxpay(
        *("notify", "verify", "--headers", str(folder / "headers.txt"), "--body", str(folder / "body")),
        *("--profile", str(folder / "wxpay.toml")),
    )


class TestVerify:
    @pytest.fixture
    def sent(self, wxpay: Wxpay, receiver: Receiver, folder: Path) -> tuple[dict[str, str], bytes]:
        arguments = ("--to", receiver.url, "--home", str(folder), "-p", "attach=自定义/数据+1")
        assert wxpay("notify", "send", "TRANSACTION.SUCCESS", *arguments).code == 0
        return receiver.received[0]

    def test_headers_as_json(self, wxpay: Wxpay, folder: Path, sent: tuple[dict[str, str], bytes]) -> None:
        assert verify(wxpay, folder, *sent, lines=False).code == 0

    def test_the_message_is_shown(self, wxpay: Wxpay, folder: Path, sent: tuple[dict[str, str], bytes]) -> None:
        headers, body = sent
        shown = verify(wxpay, folder, headers, body).out
        assert f"{headers['Wechatpay-Timestamp']}\\n{headers['Wechatpay-Nonce']}\\n" in shown
        assert throwaway_merchant().apiv3_key not in shown

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda body: json.dumps(json.loads(body), indent=2).encode(), "serialised again"),
            (lambda body: json.dumps(json.loads(body)).encode(), "serialised again"),
            (lambda body: body + b"\n", "line end was added"),
            (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
            (lambda body: body.decode("latin-1").encode(), "Latin-1"),
            (lambda body: body[:-100], "Content-Length says"),
            (lambda body: body.replace(b"TRANSACTION", b"transaction"), "does not help"),
        ],
        ids=["indented", "spaced", "line end", "BOM", "Latin-1", "cut", "changed"],
    )
    def test_what_was_done_to_the_body(
        self, spoil: Any, said: str, wxpay: Wxpay, folder: Path, sent: tuple[dict[str, str], bytes]
    ) -> None:
        headers, body = sent
        shown = verify(wxpay, folder, headers, spoil(body))
        assert shown.code == 6
        assert said in shown.out

    def test_a_plus_that_became_a_space_in_the_signature(self, wxpay: Wxpay, receiver: Receiver, folder: Path) -> None:
        for _ in range(20):  # until the signature has a `+`; it nearly always has
            receiver.received.clear()
            wxpay("notify", "send", "REFUND.SUCCESS", "--to", receiver.url, "--home", str(folder))
            headers, body = receiver.received[0]
            if "+" in headers["Wechatpay-Signature"]:
                break
        spoilt = {**headers, "Wechatpay-Signature": headers["Wechatpay-Signature"].replace("+", " ")}
        shown = verify(wxpay, folder, spoilt, body)
        assert shown.code == 6
        assert "`+` in Wechatpay-Signature was turned into a space" in shown.out
        quoted = {**headers, "Wechatpay-Signature": quote(headers["Wechatpay-Signature"], safe="")}
        assert "percent-encoded" in verify(wxpay, folder, quoted, body).out

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("Wechatpay-Nonce", None, "Wechatpay-Nonce is missing"),
            ("Wechatpay-Timestamp", "soon", "not Unix time"),
            ("Wechatpay-Timestamp", "1554209980", "s ago"),
            ("Wechatpay-Serial", "PUB_KEY_ID_0000", "which is not known"),
            ("Wechatpay-Serial", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "a certificate"),
            ("Wechatpay-Signature", "WECHATPAY/SIGNTEST/abc", "probe"),
        ],
    )
    def test_which_header(
        self,
        name: str,
        value: str | None,
        said: str,
        wxpay: Wxpay,
        folder: Path,
        sent: tuple[dict[str, str], bytes],
    ) -> None:
        headers, body = sent
        changed = {key: content for key, content in headers.items() if key != name}
        if value is not None:
            changed[name] = value
        shown = verify(wxpay, folder, changed, body)
        assert shown.code == 6
        assert said in shown.out

    def test_a_key_under_the_wrong_id_is_told(
        self, wxpay: Wxpay, folder: Path, sent: tuple[dict[str, str], bytes]
    ) -> None:
        headers, body = sent
        shown = verify(wxpay, folder, {**headers, "Wechatpay-Serial": "PUB_KEY_ID_0000"}, body)
        assert f"it is that of {throwaway_public_key().id}" in shown.out

    def test_another_apiv3_key(self, wxpay: Wxpay, folder: Path, sent: tuple[dict[str, str], bytes]) -> None:
        profile = folder / "wxpay.toml"
        profile.write_text(profile.read_text().replace(throwaway_merchant().apiv3_key, "x" * 32))
        shown = verify(wxpay, folder, *sent)
        assert shown.code == 6
        assert "APIv3密钥" in shown.out

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda body: body.replace(b"CDATA[CFT", b"CDATA[CMB").replace(b">CFT<", b">CMB<"), "a field was changed"),
            (lambda body: body[:-3], "cut off"),
            (lambda body: body.replace(b"1900000109", b"1900000110"), "1900000110"),
        ],
    )
    def test_apiv2(self, spoil: Any, said: str, wxpay: Wxpay, receiver: Receiver, folder: Path) -> None:
        wxpay("notify", "send", "v2/transaction-success", "--to", receiver.url, "--home", str(folder))
        headers, body = receiver.received[0]
        shown = verify(wxpay, folder, headers, spoil(body))
        assert shown.code == 6
        assert said in shown.out
        assert throwaway_merchant().apiv2_key not in shown.out
