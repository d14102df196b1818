"""Files are never written through links or outside their folder, and CSV cells never start a formula."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from tests.cli.shell import environment
from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, keys
from wxpay_dsl import File, SdkError, ValidationError, Wechatpay
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.sandbox.background import BackgroundSandbox
from wxpay_dsl.wechat.crypto.merchant_files import read_merchant_files

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX"),
    pytest.mark.timeout(300),
]

CONTENT = b"a,b\n1,2\n"


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        yield server


def client(server: RawServer) -> Wechatpay:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "base_url": server.url}
    return Wechatpay(**given, platform_keys={PUB_KEY_ID: keys()[1].public_key()}, timeout=30.0, retries=0)


def link(server: RawServer, content: bytes = CONTENT) -> dict[str, str]:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"download_url": f"{server.url}/v3/billdownload/file?token=x", "hash_type": "SHA1", "hash_value": digest}


class TestDownloads:
    async def test_what_is_saved_takes_the_place_of_a_link(self, server: RawServer, tmp_path: Path) -> None:
        victim, target = tmp_path / "victim", tmp_path / "bill.csv"
        victim.write_text("mine")
        target.symlink_to(victim)
        server.script = [json_answer(CONTENT)]
        async with client(server) as wxpay, wxpay.download(link(server)) as file:
            await file.save(target)
        assert victim.read_text() == "mine"
        assert target.read_bytes() == CONTENT

    async def test_a_file_that_is_not_it_is_nowhere(self, server: RawServer, tmp_path: Path) -> None:
        target = tmp_path / "bill.csv"
        target.write_text("of yesterday")
        server.script = [json_answer(b"forged\n")]
        async with client(server) as wxpay, wxpay.download(link(server)) as file:
            with pytest.raises(Exception, match="SHA1"):
                await file.save(target)
        assert listed(tmp_path) == ["bill.csv"]
        assert target.read_text() == "of yesterday"

    @pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "evil.csv", "\"; filename*=UTF-8''..%2Fevil"])  # noqa: S108
    async def test_the_service_does_not_say_where(self, name: str, server: RawServer, tmp_path: Path) -> None:
        """A name in the answer is not looked at: the caller says it, or there is none."""
        server.script = [json_answer(CONTENT, headers=f'Content-Disposition: attachment; filename="{name}"\r\n')]
        target = tmp_path / "folder" / "bill.csv"
        target.parent.mkdir()
        async with client(server) as wxpay, wxpay.download(link(server)) as file:
            assert await file.save(target) == target
        assert listed(tmp_path) == ["folder", "folder/bill.csv"]


def listed(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))


NAMES = ["../x.png", "..\\x.png", "/etc/passwd", "C:\\x.png", "c:x.png", "a/b.png", "..", ".", "a\0.png", "x.png\r\n"]
NAMES += ["\u202egnp.exe", "x" * 300 + ".png", "\\\\host\\x.png", "a\x85.png"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
async def test_a_name_that_is_a_path_is_not_sent(name: str, server: RawServer) -> None:
    async with client(server) as wxpay:
        with pytest.raises(ValidationError):
            await wxpay.upload(b"\x89PNG", name=name)
        with pytest.raises(ValidationError):
            await wxpay.upload(File(b"\x89PNG", name))
    assert server.connections == 0


@pytest.mark.parametrize(
    "name", ['a".png', "a;b.png", "a%22.png", "a%0d%0a.png", 'a\\".png', "茶.png", "a' or 1=1.png"]
)
async def test_a_name_stays_inside_its_quotes(name: str, server: RawServer) -> None:
    if PureWindowsPath(name).name != name:
        return
    async with client(server) as wxpay:
        with suppress(SdkError):  # what is answered here is signed by nobody
            await wxpay.upload(b"\x89PNG", name=name)
    assert len(server.requests) == 1
    body = server.requests[0].partition(b"\r\n\r\n")[2]
    (disposition,) = [line for line in body.split(b"\r\n") if b'name="file"' in line]
    assert disposition.count(b'"') % 2 == 0
    assert disposition.count(b"filename=") == 1
    assert json.loads(body[body.index(b"{") : body.index(b"}") + 1])["filename"] == name


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("home")
    with BackgroundSandbox(home=home) as sandbox:
        yield sandbox, home / "wxpay.toml"


def wxpay_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "wxpay_dsl.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False, env=environment())


class TestCommandLine:
    def test_what_it_writes_goes_through_no_link_that_was_waiting(self, sandbox: Any, tmp_path: Path) -> None:
        """In a folder that others can write to, such as /tmp."""
        victim = tmp_path / "victim"
        victim.write_text("mine")
        folder = tmp_path / "shared"
        folder.mkdir()
        for name in (".out.csv.part", ".out.csv.new", ".out.csv.tmp", "out.csv.part", "out.csv.tmp", "out.csv~"):
            (folder / name).symlink_to(victim)
        (folder / "out.csv").symlink_to(victim)
        (folder / "rows.csv").write_text("out_trade_no\nA-1\n")
        command = ("bulk", "v3.pay.transactions.outTradeNo._out_trade_no_.get", "rows.csv", "--out", "out.csv")
        ran = wxpay_command(folder, *command, "-p", f"mchid={sandbox[0].merchant.mchid}", "--profile", str(sandbox[1]))
        assert (folder / "out.csv").is_file(), ran.stderr.decode()
        assert not (folder / "out.csv").is_symlink()
        assert victim.read_text() == "mine"
        assert not [each.name for each in folder.iterdir() if each.name.endswith(".part") and not each.is_symlink()]

    def test_a_link_in_its_journals_place_is_refused(self, sandbox: Any, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine\nand half a line")
        (tmp_path / "out.csv.journal").symlink_to(victim)
        (tmp_path / "rows.csv").write_text("out_trade_no\nA-1\n")
        command = ("bulk", "v3.pay.transactions.outTradeNo._out_trade_no_.get", "rows.csv", "--out", "out.csv")
        ran = wxpay_command(tmp_path, *command, "-p", "mchid=1900000109", "--profile", str(sandbox[1]))
        assert ran.returncode == 2
        assert b"out.csv.journal" in ran.stderr
        assert victim.read_text() == "mine\nand half a line"

    def test_its_journal_is_for_its_owner(self, sandbox: Any, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_text("out_trade_no\nA-1\n")
        command = ("bulk", "v3.pay.transactions.outTradeNo._out_trade_no_.get", "rows.csv", "--out", "out.csv")
        wxpay_command(tmp_path, *command, "-p", f"mchid={sandbox[0].merchant.mchid}", "--profile", str(sandbox[1]))
        (journal,) = tmp_path.glob("*.journal")
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600

    def test_an_answer_is_no_formula_in_a_spreadsheet(self) -> None:
        """A refusal is signed by nobody, and its words stand in the results."""
        from wxpay_dsl.cli.bulk.results import safe_cells

        evil = ["=cmd|'/c calc'!A0", "@SUM(1)", "+cmd|x!A0", "-2+3+cmd|x!A0", "\t=1", "\r=1", "=HYPERLINK(1)"]
        evil += [
            "＝1+1",
            "＋1",
            "－1",
            "＠SUM（1）",
            "+cmd｜x！A0",
            "\n=1",
            " =1",
            "\u3000=1",
            "\ufeff=1",
            "\0=1",
            "\tx",
        ]
        plain = ["+8613800000000", "-1", "+QUJD/4==", "", "OK", "付款", 5, None, "a=1", "付款＝1"]
        told = safe_cells({str(number): value for number, value in enumerate([*evil, *plain])})
        assert list(told.values()) == [*[f"'{text}" for text in evil], *plain]

    @pytest.mark.parametrize(
        ("command", "name", "mode"),
        [
            (("call", "v3.certificates.get", "--out"), "got.json", 0o600),
            (("qr", "weixin://wxpay/bizpayurl?pr=x", "--out"), "pay.svg", 0o644),
            (("qr", "weixin://wxpay/bizpayurl?pr=x", "--out"), "pay.png", 0o644),
            (("spec", "export", "--openapi"), "api.json", 0o644),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_no_output_goes_through_a_link_or_is_for_others_unasked(
        self, command: tuple[str, ...], name: str, mode: int, sandbox: Any, tmp_path: Path
    ) -> None:
        victim, out = tmp_path / "victim", tmp_path / name
        victim.write_text("mine")
        out.symlink_to(victim)
        profile = ("--profile", str(sandbox[1])) if command[0] == "call" else ()
        before = os.umask(0o022)
        try:
            ran = wxpay_command(tmp_path, *command, name, *profile)
        finally:
            os.umask(before)
        assert ran.returncode == 0, ran.stderr.decode()
        assert victim.read_text() == "mine"
        assert (out.is_symlink(), stat.S_IMODE(out.stat().st_mode)) == (False, mode)
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, "victim"])

    def test_certificates_and_specs_are_written_through_no_link(self, sandbox: Any, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        command = ("certs", "--out", "certs", "--profile", str(sandbox[1]))
        assert wxpay_command(tmp_path, *command).returncode == 0
        pems = sorted((tmp_path / "certs").glob("*.pem"))
        assert pems
        for pem in pems:
            pem.unlink()
            pem.symlink_to(victim)
        assert wxpay_command(tmp_path, *command).returncode == 0
        document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/v3/x": {"get": {}}}}
        (tmp_path / "api.json").write_text(json.dumps(document))
        assert wxpay_command(tmp_path, "spec", "import", "api.json", "--into", "into").returncode == 0
        specs = sorted((tmp_path / "into").rglob("*.yaml"))
        assert specs
        for spec in specs:
            spec.unlink()
            spec.symlink_to(victim)
        ran = wxpay_command(tmp_path, "spec", "import", "api.json", "--into", "into", "--force")
        assert ran.returncode == 0, ran.stderr.decode()
        assert not any(file.is_symlink() for file in (*pems, *specs))
        assert victim.read_text() == "mine"

    def test_types_are_written_where_nothing_else_is(self, tmp_path: Path) -> None:
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs" / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {post: {}}\n")
        command = ("stubs", "--specs", "specs", "--out", "shop_pay")
        for _ in range(2):  # its own files may be written again
            assert wxpay_command(tmp_path, *command).returncode == 0
        (tmp_path / "shop_pay" / "orders.py").write_text("mine")
        ran = wxpay_command(tmp_path, *command)
        assert (ran.returncode, b"holds other files" in ran.stderr) == (2, True)
        assert (tmp_path / "shop_pay" / "orders.py").read_text() == "mine"
        (tmp_path / "shop_pay" / "orders.py").unlink()
        (tmp_path / "shop_pay").rename(tmp_path / "real")
        (tmp_path / "shop_pay").symlink_to("real")
        ran = wxpay_command(tmp_path, *command)
        assert (ran.returncode, b"is a link" in ran.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("arguments", "option"),
        [
            (("call", "v3.certificates.get", "--out", "wxpay.toml"), "--profile"),
            (("call", "v3.pay.transactions.native.post", "-d", "@order.json", "--out", "./order.json"), "-d"),
            (("call", "v3.merchant.media.upload.post", "-p", "file=@a.png", "--out", "hard.png"), "-p file"),
            (("bill", "trade", "--out", "wxpay.toml"), "--profile"),
        ],
    )
    def test_no_output_replaces_what_the_command_reads(
        self, arguments: tuple[str, ...], option: str, tmp_path: Path
    ) -> None:
        for name in ("wxpay.toml", "order.json", "a.png"):
            (tmp_path / name).write_text("mine")
        (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
        ran = wxpay_command(tmp_path, *arguments, "--profile", "wxpay.toml")
        assert (ran.returncode, f"is the file of {option}".encode() in ran.stderr) == (2, True), ran.stderr.decode()
        assert {each.read_text() for each in tmp_path.iterdir()} == {"mine"}


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "LZMA"])
def test_a_zip_packed_in_another_way_is_not_unpacked(how: int, tmp_path: Path) -> None:
    """LZMA's header says how much memory it takes: four gigabytes, if a stranger likes."""
    file = tmp_path / "cert.zip"
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("apiclient_cert.p12", b"0" * 1000)
    data = bytearray(file.read_bytes())
    if how == zipfile.ZIP_LZMA:
        at = data.index(b"\x09\x04\x05\x00") + 5  # version, size of the properties, then they: one byte and the size
        data[at : at + 4] = b"\xff\xff\xff\xff"
        file.write_bytes(data)
    with pytest.raises(ConfigurationError, match="packed in a way that the platform does not use"):
        read_merchant_files(file, "1")
