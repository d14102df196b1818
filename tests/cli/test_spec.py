"""``wxpay spec``: endpoints found, shown and checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Wxpay

PRESIGN = "v3.eduPapay.contracts.presign.post\tPOST /v3/edu-papay/contracts/presign\t预签约\t教育续费通"


@pytest.mark.parametrize(
    "words",
    [
        ["预签约"],
        ["PRESIGN"],
        ["contracts/presign"],
        ["eduPapay.contracts.presign"],
        ["period_start_date", "教育续费通"],
        ["首次扣款日期"],
        ["presign_token"],
    ],
)
def test_an_endpoint_is_found_by_path_title_or_field(wxpay: Wxpay, words: list[str]) -> None:
    ran = wxpay("spec", "list", *words)
    assert (ran.code, ran.err) == (0, "")
    assert PRESIGN in ran.out.splitlines()


def test_all_words_must_be_found(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "list", "预签约", "no-such-word")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing found" in ran.err


def test_a_role_and_a_tag_choose(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "path: /v3/my\ntags: [mine]\noperations:\n"
        "  /thing: {post: {roles: [partner]}}\n  /other: {get: {roles: [merchant]}}\n"
    )
    env = {"WXPAY_SPECS": str(tmp_path)}
    assert wxpay("spec", "list", "--tag", "mine", "--count", env=env).out == "2 paths, 2 operations\n"
    assert wxpay("spec", "list", "--tag", "mine", "--role", "partner", env=env).out.startswith("v3.my.thing.post\t")


def test_json_lists_what_a_script_needs(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "list", "presign", "--json")
    (found,) = [entry for entry in json.loads(ran.out) if entry["path"] == "/v3/edu-papay/contracts/presign"]
    assert found["chain"] == "v3.eduPapay.contracts.presign.post"
    assert found["roles"] == ["merchant", "partner"]
    assert found["summary"] == "预签约"


def test_a_broken_file_costs_a_warning_and_not_the_others(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations: 5\n")
    ran = wxpay("spec", "list", "预签约", env={"WXPAY_SPECS": str(tmp_path)})
    assert ran.code == 0
    assert "mine.yaml:2:1" in ran.err
    assert PRESIGN in ran.out


@pytest.mark.parametrize(
    "chain",
    ["v3.eduPapay.contracts.presign.post", "v3.eduPapay.contracts.presign", "/v3/edu-papay/contracts/presign"],
)
def test_a_page_shows_what_an_endpoint_takes_and_gives(wxpay: Wxpay, chain: str) -> None:
    ran = wxpay("spec", "show", chain)
    assert (ran.code, ran.err) == (0, "")
    assert "预签约" in ran.out
    assert "POST /v3/edu-papay/contracts/presign" in ran.out
    assert "https://pay.weixin.qq.com/" in ran.out
    fields = {line.split()[0]: line for line in ran.out.splitlines() if line.startswith("  ")}
    assert "签约模板号" in fields["plan_id"]
    assert "子商户号" in fields["sub_mchid?"]
    assert "EDUCATION_PERIOD" in fields["trade_scene"]
    assert "预签约号" in fields["presign_token"]


def test_a_chain_on_the_way_lists_what_is_below(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "show", "v3.eduPapay.contracts")
    assert "v3.eduPapay.contracts.presign.post  预签约\n" in ran.out
    assert "v3.eduPapay.contracts._contract_id_.delete  解约\n" in ran.out


@pytest.mark.parametrize("chain", ["v3.eduPapai.contracts.presign.post", "/v3/edu-papay/contracts/presing"])
def test_an_unknown_endpoint_names_the_nearest(wxpay: Wxpay, chain: str) -> None:
    ran = wxpay("spec", "show", chain)
    assert (ran.code, ran.out) == (2, "")
    assert "presign" in ran.err.replace(chain, "")
