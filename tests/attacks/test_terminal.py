"""Text from a server is printed without control characters that a terminal would obey."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.cli.shell import environment
from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, Platform, keys

#: A window's title, a cleared screen, colours by one byte, another direction of writing, markup, a bell, a new line.
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eabc\u2066[bold red]x[/][link=http://evil.example]y[/link]\x85\x7f\u2028z\r!\x08\x08"
OBEYED = "\x1b\x07\x9b\u202e\u2066\x85\x7f\u2028\r\x08"
#: What a header may hold of it.
IN_HEADER = "".join(character for character in EVIL if character >= " " and character != "\x7f")
HEADERS = ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


@pytest.fixture
def profile(server: RawServer, tmp_path: Path) -> Path:
    private, public = keys()[0], keys()[1].public_key()
    key = tmp_path / "apiclient_key.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    (tmp_path / "pub_key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    settings = {"mchid": MCHID, "serial": SERIAL, "private_key": key.name, "base_url": server.url}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    file = tmp_path / "wxpay.toml"
    file.write_text("\n".join([*lines, "retries = 0", "[platform_keys]", f'{PUB_KEY_ID} = "pub_key.pem"', ""]))
    return file


async def wxpay(*arguments: str, **env: str) -> tuple[int, str, str]:
    """The command's exit code, stdout and stderr."""
    command = (sys.executable, "-m", "wxpay_dsl.cli", *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment(env))
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


def refusal(status: str = "400 Bad") -> bytes:
    said = {"code": EVIL, "message": EVIL, "detail": {"field": EVIL, EVIL: EVIL}}
    return json_answer(json.dumps(said, ensure_ascii=False).encode(), status, f"Request-ID: {IN_HEADER}\r\n")


def signed(body: bytes) -> bytes:
    whole = Platform().signed(body)
    vouching = "".join(f"{name}: {whole.headers[name]}\r\n" for name in HEADERS)
    return json_answer(body, headers=f"Request-ID: {IN_HEADER}\r\n{vouching}")


#: Made when they are sent: a signature has its time.
ANSWERS: dict[str, Callable[[], bytes]] = {
    "a refusal": refusal,
    "a refusal of a gateway": lambda: json_answer(f"<html>{EVIL}</html>".encode(), "502 Bad"),
    "an answer": lambda: signed(json.dumps({"name": EVIL, EVIL: [EVIL]}, ensure_ascii=False).encode()),
    "a signature that is none": lambda: json_answer(b"{}", headers=f"Wechatpay-Serial: {IN_HEADER}\r\n"),
    "no HTTP": lambda: EVIL.encode() * 10,
    "a reason": f"HTTP/1.1 400 {IN_HEADER}\r\nContent-Length: 0\r\n\r\n".encode,
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("how", [("--verbose",), ("--json",)], ids=["verbose", "JSON"])
async def test_no_answer_is_obeyed(how: tuple[str, ...], kind: str, server: RawServer, profile: Path) -> None:
    server.script = [ANSWERS[kind]()] * 3
    code, out, error = await wxpay("call", "v3.certificates.get", *how, "--profile", str(profile))
    assert (code == 0) == (kind == "an answer")
    for text in (out, error):
        assert not set(OBEYED) & set(text), text


async def test_json_is_the_same_json(server: RawServer, profile: Path) -> None:
    """What is escaped for the terminal is, to a script, what came."""
    server.script = [signed(json.dumps({"name": EVIL, "茶": "饼"}, ensure_ascii=False).encode())]
    _, out, _ = await wxpay("call", "v3.certificates.get", "--profile", str(profile))
    found = json.loads(out)
    assert found.get("data", found) == {"name": EVIL, "茶": "饼"}
    assert "茶" in out


async def test_half_a_character_ends_no_command(server: RawServer, profile: Path) -> None:
    """JSON can say one, UTF-8 cannot; what else is said stays readable."""
    half = rb'{"code": "\udc00", "message": "\ud800 no", "detail": {"\ud800": "\udfff"}, "name": "\ud800"}'
    for how in ((), ("--json",), ("--verbose",)):
        for body in (json_answer(half, "400 Bad"), signed(half)):
            server.script = [body]
            code, out, error = await wxpay("call", "v3.certificates.get", *how, "--profile", str(profile))
            assert code == (7 if body.startswith(b"HTTP/1.1 400") else 0), error
            assert "Traceback" not in error
    server.script = [signed('{"茶": "\\ud800"}'.encode())]
    _, out, _ = await wxpay("call", "v3.certificates.get", "--profile", str(profile))
    assert out == '{"茶": "\\ud800"}\n'


async def test_nor_is_what_a_spec_says(tmp_path: Path) -> None:
    from wxpay_dsl.core.specs.writer import write

    folder = tmp_path / "specs"
    folder.mkdir()
    operation = {"summary": EVIL, "description": EVIL, "body": {"a": {"title": EVIL, "description": EVIL}}}
    spec = {"title": EVIL, "path": "/v3/evil", "operations": {"/thing": {"post": operation}}}
    (folder / "evil.yaml").write_text(write(spec), "utf-8")
    for command in (("spec", "show", "v3.evil.thing.post"), ("spec", "list", "evil")):
        code, out, error = await wxpay(*command, WXPAY_SPECS=str(folder))
        assert code == 0, error
        assert "/v3/evil/thing" in out
        assert not set(OBEYED) & set(out + error)
