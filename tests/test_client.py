"""The public client: the chain, its attributes, and that nothing happens before the first call."""

from __future__ import annotations

import ast
import asyncio
import copy
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import wxpay_dsl
from tests.ports import free_port
from wxpay_dsl import (
    ClosedError,
    ConfigurationError,
    Response,
    ServiceError,
    SpecError,
    UndeclaredPathError,
    ValidationError,
    Wechatpay,
)
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.settings.options import NAMES

PRESIGN = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}
ROOT = Path(wxpay_dsl.__file__).parents[1]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def wxpay(sandbox: Sandbox) -> AsyncIterator[Wechatpay]:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        yield wxpay


def run(program: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with nothing of WXPAY_… but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


class TestCalls:
    @pytest.mark.parametrize("how", ["keywords", "a mapping", "shorthand", "both", "snake case", "literal segments"])
    async def test_one_call_six_ways(self, wxpay: Any, how: str) -> None:
        presign = wxpay.v3.eduPapay.contracts.presign
        calls = {
            "keywords": lambda: presign.post(**PRESIGN),
            "a mapping": lambda: presign.post(PRESIGN),
            "shorthand": lambda: presign(PRESIGN),
            "both": lambda: presign.post(
                {"appid": PRESIGN["appid"]}, **{k: v for k, v in PRESIGN.items() if k != "appid"}
            ),
            "snake case": lambda: wxpay.v3.edu_papay.contracts.presign(PRESIGN),
            "literal segments": lambda: wxpay["v3"]["edu-papay"]["contracts"]["presign"].post(PRESIGN),
        }
        response = await calls[how]()
        assert isinstance(response, Response)
        assert response.status == 200
        assert isinstance(response["presign_token"], str)
        assert response.request_id
        assert response.headers["wechatpay-serial"]

    async def test_every_fault_at_once_before_anything_is_sent(self, wxpay: Any) -> None:
        with pytest.raises(ValidationError) as raised:
            await wxpay.v3.eduPapay.contracts.presign.post(appid=1, opnid="x", plan_id=None, validate="strict")
        assert [fault.path for fault in raised.value.errors] == [
            "opnid",
            "body.appid",
            "body.plan_id",
            "body.openid",
            "body.user_id",
            "body.period_start_date",
            "body.trade_scene",
        ]
        assert "opnid: no such field; did you mean 'openid'?" in str(raised.value)

    async def test_many_at_once(self, wxpay: Any) -> None:
        responses = await asyncio.gather(*(wxpay.v3.eduPapay.contracts.presign(PRESIGN) for _ in range(50)))
        assert {response.status for response in responses} == {200}

    async def test_an_undeclared_path_is_signed_sent_and_answered(self, wxpay: Any) -> None:
        with pytest.raises(ServiceError) as raised:
            await wxpay.v3.eduPapay.contract.presign.post(PRESIGN)
        assert raised.value.status == 404
        assert "the nearest declared one is /v3/edu-papay/contracts/presign" in str(raised.value)

    async def test_a_strict_client_refuses_it(self, sandbox: Sandbox) -> None:
        async with Wechatpay(**sandbox.credentials, strict=True) as wxpay:
            with pytest.raises(UndeclaredPathError, match="nearest declared path is /v3/edu-papay/contracts/presign"):
                await wxpay["v3"].eduPapay.contract.presign.post(PRESIGN)

    async def test_three_lines_of_yaml(self, sandbox: Sandbox, tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {post: {}}\n")
        async with Wechatpay(**sandbox.credentials, specs=[tmp_path], strict=True) as wxpay:
            target = wxpay["v3"].my.thing._target()
            request = await wxpay.client.prepare(target, {}, {})
            assert request.url == f"{sandbox.url}/v3/my/thing"
            assert (await wxpay["v3"].eduPapay.contracts.presign(PRESIGN)).status == 200

    async def test_a_broken_file_of_ones_own_breaks_nothing_else(self, sandbox: Sandbox, tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations:\n\t/thing: {post: {}}\n")
        async with Wechatpay(**sandbox.credentials, specs=[tmp_path]) as wxpay:
            assert (await wxpay["v3"].eduPapay.contracts.presign(PRESIGN)).status == 200
            with pytest.raises(SpecError, match=r"mine\.yaml:3:1: .*a tab; indent with spaces"):
                await wxpay["v3"].my.thing.post({})
            with pytest.raises(SpecError, match=r"mine\.yaml:3:1: "):
                wxpay.preload()


class TestTheObject:
    async def test_nothing_is_made_before_the_first_call(self, sandbox: Sandbox) -> None:
        client = Wechatpay(**sandbox.credentials)
        assert client._parts is None
        assert repr(client) == f"<Wechatpay {client.settings.mchid} at {sandbox.url}>"
        async with client:
            pass
        assert client._parts is None
        with pytest.raises(ClosedError):
            await client["v3"].eduPapay.contracts.presign(PRESIGN)
        await client.close()

    async def test_after_the_end_calls_say_so(self, sandbox: Sandbox) -> None:
        async with Wechatpay(**sandbox.credentials) as client:
            await client["v3"].eduPapay.contracts.presign(PRESIGN)
        with pytest.raises(ClosedError, match="the client is closed"):
            await client["v3"].eduPapay.contracts.presign(PRESIGN)

    async def test_looking_at_it(self, wxpay: Any) -> None:
        assert {"v2", "v3", "close", "settings"} <= set(dir(wxpay))
        for name in ("__await__", "_repr_html_", "_nothing", "then", "shape"):
            assert not hasattr(wxpay, name)
        assert wxpay.v3 is wxpay.v3
        with pytest.raises(TypeError):
            await wxpay
        with pytest.raises(TypeError):
            await wxpay.v3.pay

    async def test_copies_share_and_pickles_are_refused(self, wxpay: Any) -> None:
        assert copy.copy(wxpay).settings is wxpay.settings
        for thing in (wxpay, wxpay.v3):
            with pytest.raises(TypeError, match="pickled"):
                pickle.dumps(thing)

    def test_settings_that_cannot_work_are_refused_at_construction(self) -> None:
        with pytest.raises(ConfigurationError, match="`mchid`"):
            Wechatpay(mchid="wx123")
        with pytest.raises(TypeError):
            Wechatpay(merchant="1")  # type: ignore[call-arg]  # what is tested

    def test_one_client_in_one_event_loop_after_the_other(self) -> None:
        """As a module-level client lives in scripts that call `asyncio.run` more than once."""
        clients: list[Any] = []
        port = free_port()

        async def once() -> int:
            async with Sandbox(port) as sandbox:
                if not clients:
                    clients.append(Wechatpay(**sandbox.credentials))
                return int((await clients[0].v3.eduPapay.contracts.presign(PRESIGN)).status)

        assert [asyncio.run(once()) for _ in range(3)] == [200, 200, 200]
        asyncio.run(clients[0].close())


class TestWithoutCredentials:
    """`from wxpay_dsl import wxpay` is for looking first: it asks for credentials at the first call."""

    def test_help_and_repr(self) -> None:
        node = wxpay_dsl.wxpay["v3"].pay.transactions.native
        assert repr(node).startswith("<v3.pay.transactions.native: POST /v3/pay/transactions/native ")
        assert "POST /v3/pay/transactions/native" in pydoc.render_doc(node)
        assert repr(wxpay_dsl.wxpay).startswith("<Wechatpay")

    def test_importing_needs_none_and_calling_says_which(self) -> None:
        ran = run(
            "import asyncio\nfrom wxpay_dsl import wxpay, ConfigurationError\n"
            "async def main():\n"
            "    try: await wxpay.v3.certificates.get()\n"
            "    except ConfigurationError as error: print(error)\n"
            "asyncio.run(main())\n"
        )
        assert ran.stderr == ""
        assert "give `mchid` as an argument, in the profile, or as WXPAY_MCHID in the environment" in ran.stdout

    def test_help_in_a_process_of_its_own(self) -> None:
        ran = run("from wxpay_dsl import wxpay\nhelp(wxpay.v3.pay.transactions.native)")
        assert ran.stderr == ""
        assert "POST /v3/pay/transactions/native" in ran.stdout


class TestFoldersOfOnesOwn:
    SHOW = "from wxpay_dsl import wxpay; print(repr(wxpay.v3.my.thing))"

    @pytest.fixture
    def specs(self, tmp_path: Path) -> Path:
        folder = tmp_path / "specs"
        folder.mkdir()
        (folder / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {post: {summary: Mine}}\n")
        return folder

    def test_from_the_environment(self, specs: Path) -> None:
        ran = run(self.SHOW, WXPAY_SPECS=str(specs))
        assert ran.stdout == "<v3.my.thing: POST /v3/my/thing Mine>\n"

    def test_from_the_profile_that_the_environment_names(self, specs: Path, tmp_path: Path) -> None:
        (tmp_path / "wxpay.toml").write_text('specs = ["specs"]\n')
        ran = run(self.SHOW, WXPAY_PROFILE=str(tmp_path / "wxpay.toml"))
        assert ran.stdout == "<v3.my.thing: POST /v3/my/thing Mine>\n"

    def test_never_from_the_current_folder_unasked(self, specs: Path) -> None:
        for cwd in (specs, specs.parent):
            ran = run(self.SHOW, cwd=cwd)
            assert ran.stdout == "<v3.my.thing: not declared by any spec>\n"

    @pytest.mark.parametrize("broken", ["nowhere", "profile nowhere", "profile broken", "file broken"])
    def test_what_is_wrong_with_them_breaks_no_import(self, specs: Path, tmp_path: Path, broken: str) -> None:
        environment = {
            "nowhere": {"WXPAY_SPECS": str(tmp_path / "nowhere")},
            "profile nowhere": {"WXPAY_PROFILE": str(tmp_path / "nowhere.toml")},
            "profile broken": {"WXPAY_PROFILE": str(tmp_path / "broken.toml")},
            "file broken": {"WXPAY_SPECS": str(specs)},
        }[broken]
        (tmp_path / "broken.toml").write_text("specs = [")
        if broken == "file broken":
            (specs / "bad.yaml").write_bytes(b"\xff\xfe")
        ran = run("from wxpay_dsl import wxpay; print(repr(wxpay.v3.pay.transactions.native))", **environment)
        assert ran.stderr == ""
        assert "POST /v3/pay/transactions/native" in ran.stdout

    def test_and_is_said_at_the_first_call(self, tmp_path: Path) -> None:
        program = (
            "from wxpay_dsl import wxpay\n"
            "try: wxpay.v3.certificates.get()\n"
            "except Exception as error: print(type(error).__name__, error)\n"
        )
        for environment in (
            {"WXPAY_PROFILE": str(tmp_path / "nowhere.toml")},
            {"WXPAY_SPECS": str(tmp_path / "nowhere"), **MERCHANT},
        ):
            ran = run(program, **environment)
            assert ran.stdout.startswith("ConfigurationError "), ran
            assert "nowhere" in ran.stdout

    def test_specs_that_are_set_after_the_import(self, specs: Path) -> None:
        program = (
            "import os; from wxpay_dsl import wxpay; os.environ.update(WXPAY_SPECS=os.environ['LATER'])\n"
            "before = repr(wxpay.v3.my.thing); wxpay.settings; print(before, repr(wxpay.v3.my.thing))"
        )
        ran = run(program, LATER=str(specs), **MERCHANT)
        assert ran.stdout == "<v3.my.thing: not declared by any spec> <v3.my.thing: POST /v3/my/thing Mine>\n", ran


#: A merchant of APIv2, which needs no key files.
MERCHANT = {"WXPAY_MCHID": "1900000109", "WXPAY_APIV2_KEY": "192006250b4c09247ec02edce69f6a2d"}


class TestTheSignature:
    def test_interactive_shells_see_every_keyword(self) -> None:
        assert set(inspect.signature(Wechatpay).parameters) == {*NAMES, "profile"}

    def test_a_subclass_has_its_own(self) -> None:
        class Mine(Wechatpay):
            def __init__(self, shop: str) -> None:
                super().__init__(mchid=shop)

        assert list(inspect.signature(Mine).parameters) == ["shop"]


class TestThePublicNames:
    def test_type_checkers_and_the_interpreter_see_the_same(self) -> None:
        source = ast.parse(Path(wxpay_dsl.__file__).read_bytes())
        (static,) = [
            node for node in source.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ]
        imports = [node for node in static.body if isinstance(node, ast.ImportFrom)]
        seen = {alias.name: node.module for node in imports for alias in node.names}
        assert all(alias.asname == alias.name for node in imports for alias in node.names)
        modules = {name: module.rpartition(".")[0] for name, module in wxpay_dsl._MODULES.items()}
        assert seen == {**wxpay_dsl._HOMES, **modules}
        assert {*seen, "Wechatpay", "__version__", "wxpay"} == set(wxpay_dsl.__all__)

    @pytest.mark.parametrize("name", wxpay_dsl.__all__)
    def test_each_is_there(self, name: str) -> None:
        assert getattr(wxpay_dsl, name) is not None

    def test_any_other_is_not(self) -> None:
        with pytest.raises(AttributeError, match="module 'wxpay_dsl' has no attribute 'Nothing'"):
            _ = wxpay_dsl.Nothing
