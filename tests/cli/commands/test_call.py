"""``wxpay call``: data in, JSON out, everything else on stderr, and an exit code for each way to fail."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import PRESIGN, Wxpay

CHAIN = "v3.eduPapay.contracts.presign.post"


def test_the_data_of_the_response_is_the_only_thing_on_stdout(wxpay: Wxpay, profile: Path, tmp_path: Path) -> None:
    (tmp_path / "presign.json").write_text(PRESIGN)
    ran = wxpay("call", CHAIN, "-d", "@presign.json", "--profile", str(profile))
    assert (ran.code, ran.err) == (0, "")
    assert list(json.loads(ran.out)) == ["presign_token"]
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize(
    "chain",
    [
        CHAIN,
        "wxpay." + CHAIN,
        "v3.edu_papay.contracts.presign",
        "v3.edu-papay.contracts.presign.post",
        'v3["edu-papay"].contracts["presign"].post',
        "v3['edu-papay'].contracts.presign.post",
    ],
)
def test_every_spelling_of_a_chain_is_the_same_call(wxpay: Wxpay, profile: Path, chain: str) -> None:
    ran = wxpay("call", chain, "-d", PRESIGN, "--profile", str(profile))
    assert (ran.code, ran.err) == (0, "")
    assert "presign_token" in json.loads(ran.out)


def test_data_comes_from_standard_input(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", CHAIN, "-d", "-", stdin="\ufeff" + PRESIGN, env={"WXPAY_PROFILE": str(profile)})
    assert (ran.code, ran.err) == (0, "")


def test_parameters_are_sorted_and_converted_by_the_spec(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay(
        *("call", "v3.eduPapay.user._openid_.contracts.get", "--verbose", "--profile", str(profile)),
        *("-p", "openid=o/1", "-p", "appid=wx8888888888888888", "-p", "plan_id=007", "-p", "limit=20"),
    )
    assert ran.code == 0
    assert "GET /v3/edu-papay/user/o%2F1/contracts?appid=wx8888888888888888&plan_id=007&limit=20" in ran.err
    assert "total_count" in json.loads(ran.out)


def test_a_literal_segment_fills_the_path(wxpay: Wxpay, profile: Path, own_specs: Path) -> None:
    env = {"WXPAY_SPECS": str(own_specs)}
    ran = wxpay("call", 'v3.my.things["4200/1"].get', "--verbose", "--profile", str(profile), env=env)
    assert ran.code == 0
    assert "GET /v3/my/things/4200%2F1\n" in ran.err
    assert json.loads(ran.out) == {"id": "4200/1"}


def test_a_dotted_parameter_reaches_into_the_body(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", "v3.eduPapay.transactions.post", "-p", "amount.total=1.5", "--profile", str(profile))
    assert ran.code == 4
    assert (
        "body.amount.total: expected integer, got 1.5 (amounts are integers in the smallest currency unit)" in ran.err
    )


def test_an_answer_without_content_is_null(wxpay: Wxpay, profile: Path, own_specs: Path) -> None:
    env = {"WXPAY_SPECS": str(own_specs)}
    ran = wxpay("call", "v3.my.things._id_.delete", "-p", "id=1", "--profile", str(profile), env=env)
    assert (ran.code, ran.out, ran.err) == (0, "null\n", "")


def test_three_lines_of_yaml_are_an_endpoint(wxpay: Wxpay, profile: Path, own_specs: Path) -> None:
    env = {"WXPAY_SPECS": str(own_specs)}
    ran = wxpay("call", "v3.my.thing.post", "-d", "{}", "-v", "--profile", str(profile), env=env)
    assert (ran.code, ran.out) == (0, "{}\n")
    assert "POST /v3/my/thing\n" in ran.err
    assert 'mchid="1900000109",nonce_str=' in ran.err


def test_an_open_endpoint_takes_any_parameter(wxpay: Wxpay, profile: Path, own_specs: Path) -> None:
    parameters = ("-p", "query=1", "-p", "total=2")
    env = {"WXPAY_SPECS": str(own_specs)}
    ran = wxpay("call", "v3.my.thing.post", *parameters, "-v", "--profile", str(profile), env=env)
    assert '{"query":"1","total":"2"}' in ran.err


def test_data_goes_to_a_file(wxpay: Wxpay, profile: Path, tmp_path: Path) -> None:
    ran = wxpay("call", CHAIN, "-d", PRESIGN, "--out", "response.json", "--profile", str(profile))
    assert (ran.code, ran.out) == (0, "")
    assert "presign_token" in json.loads((tmp_path / "response.json").read_bytes())


def test_doubts_are_warnings_and_strict_refuses_them(wxpay: Wxpay, profile: Path) -> None:
    doubtful = PRESIGN.replace("EDUCATION_PERIOD", "SOMETHING_NEW")
    ran = wxpay("call", CHAIN, "-d", doubtful, "--validate", "strict", "--profile", str(profile))
    assert ran.code == 4
    ran = wxpay("call", CHAIN, "-d", doubtful, "--profile", str(profile))
    assert ran.err.splitlines()[0].startswith("warning: POST /v3/edu-papay/contracts/presign: body.trade_scene:")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_usage_is_exit_code_2(wxpay: Wxpay, profile: Path) -> None:
    for wrong, said in (
        (("-d", "{"), "is not JSON"),
        (("-d", '{"a": NaN}'), "NaN is not JSON"),
        (("-d", '{"total": 1, "total": 100}'), "'total' is given twice"),
        (("-d", "@missing.json"), "missing.json"),
        (("-p", "appid"), "KEY=VALUE"),
        (("-p", "appid=1", "-p", "appid=2"), "given twice"),
        (("--timeout", "0"), "--timeout"),
        (("--no-such-option",), "--no-such-option"),
    ):
        ran = wxpay("call", CHAIN, *wrong, "--profile", str(profile))
        assert (ran.code, ran.out) == (2, ""), wrong
        assert said in ran.err
        assert "exit 2" in ran.err
    for chain in ("", "v3..x", "v3.__class__", "v3.a b", 'v3["x'):
        assert wxpay("call", chain, "--profile", str(profile)).code == 2, chain


def test_configuration_is_exit_code_3(wxpay: Wxpay) -> None:
    ran = wxpay("call", CHAIN, "-d", "{}")
    assert (ran.code, ran.out) == (3, "")
    assert "WXPAY_MCHID" in ran.err
    assert "配置有误" in ran.err
    ran = wxpay("call", CHAIN, "--profile", "nowhere.toml")
    assert ran.code == 3
    assert "nowhere.toml" in ran.err


def test_an_invalid_request_is_exit_code_4_and_shows_every_fault(wxpay: Wxpay, profile: Path) -> None:
    body = '{"apid": "wx", "openid": 5}'
    ran = wxpay("call", CHAIN, "-d", body, "--validate", "strict", "--profile", str(profile))
    assert ran.code == 4
    assert "body.apid: no such field; did you mean 'appid'?" in ran.err
    assert "body.openid: expected string, got 5" in ran.err
    assert "body.plan_id: missing (签约模板号)" in ran.err
    assert "Nothing was sent" in ran.err


def test_a_broken_spec_is_exit_code_4_with_file_and_line(wxpay: Wxpay, profile: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {pots: {}}\n")
    ran = wxpay("call", "v3.my.thing.post", "--profile", str(profile), env={"WXPAY_SPECS": str(tmp_path)})
    assert ran.code == 4
    assert "mine.yaml:3:12: 'pots' is not a verb; did you mean 'post'?" in ran.err


def test_transport_is_exit_code_5(wxpay: Wxpay, profile: Path, nobody: str) -> None:
    ran = wxpay(
        "call", CHAIN, "-d", PRESIGN, "--profile", str(profile), "--timeout", "0.3", env={"WXPAY_BASE_URL": nobody}
    )
    assert ran.code == 5
    assert "within 0.3 s" in ran.err


def test_an_answer_that_cannot_be_believed_is_exit_code_6(wxpay: Wxpay, profile: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stranger = rsa.generate_private_key(65537, 2048).public_key()
    (tmp_path / "stranger.pem").write_bytes(stranger.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    key_id = next(line.split(" = ")[0] for line in profile.read_text().splitlines() if line.startswith("PUB_KEY_ID"))
    platform_keys = f"{key_id}={tmp_path / 'stranger.pem'}"
    ran = wxpay("call", CHAIN, "-d", PRESIGN, "--profile", str(profile), env={"WXPAY_PLATFORM_KEYS": platform_keys})
    assert (ran.code, ran.out) == (6, ""), ran.err
    assert "验签失败" in ran.err


def test_a_refusal_is_exit_code_7(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", "v3.noSuchThing.post", "-d", "{}", "--profile", str(profile))
    assert (ran.code, ran.out) == (7, "")
    assert "404" in ran.err
    assert "Request-ID" in ran.err


def test_debug_shows_the_traceback(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", CHAIN, "-d", "{}", "--debug", "--validate", "strict", "--profile", str(profile))
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "ValidationError" in ran.err


@pytest.mark.parametrize("text", ["9" * 5000, "1_0", "1.0", "1e3", "٣"])
def test_a_number_that_is_none_is_told_and_not_sent(text: str, wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", "v3.eduPapay.transactions.post", "-p", f"amount.total={text}", "--profile", str(profile))
    assert ran.code == (4 if text == "1.0" else 2)
    assert "amount.total: expected integer" in ran.err
    assert len(ran.err) < 3000
