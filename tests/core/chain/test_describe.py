"""An operation as plain text: what `help(node)` and the command line show."""

from __future__ import annotations

from pathlib import Path

from tests.core.conftest import CHAINS, Write, tree_of
from wxpay_dsl.core.chain.describe import certainty, describe, dotted
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.specs.model import Checked

PAGE = """\
发货 — POST /v1/shop-floor/{order_id}/return
Sends it.
await v1.shopFloor._order_id_.return_.post(…)
  deprecated
  needs the client certificate
  the response is not signed
  served by https://hk.example
  roles: owner, clerk
  checked: compared with the official pages on 2026-08-08
  https://shop.example/docs

path
  order_id: string  单号 (e.g. 1217)

query
  dry?: boolean

body
  name: string  姓名 (≤10; encrypted)
  kind?: string (a | b)
  desk?: string (clerk only; required of these)
  floor?: integer (clerk only)
  till?: string (required of owner; uncertain: one SDK alone)
  goods: array of object  货
    id: integer
    tags?: array of array of string

returns
  ok: boolean"""


def test_a_page(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        path: /v1/shop-floor
        operations:
          /{order_id}/return:
            post:
              summary: 发货
              description: Sends it.
              deprecated: true
              mutual_tls: true
              verify: false
              host: https://hk.example
              roles: [owner, clerk]
              checked: {source: official, date: 2026-08-08}
              docs: [https://shop.example/docs]
              path: {order_id: {title: 单号, example: '1217'}}
              query: {dry?: {type: boolean}}
              body:
                name: {title: 姓名, maxLength: 10, encrypted: true}
                kind?: {enum: [a, b]}
                desk: {roles: [clerk]}
                floor?: {type: integer, roles: [clerk]}
                till?: {required_by: [owner], doubt: one SDK alone}
                goods: {title: 货, items: {properties: {id: {type: integer}, tags?: {items: {items: {}}}}}}
              returns: {ok: {type: boolean}}
        """,
    )
    (declared,) = tree_of(folder).declared()
    operation = declared.operation()
    assert dotted(operation) == "v1.shopFloor._order_id_.return_.post"
    assert describe(operation) == PAGE


def test_how_sure_a_page_is() -> None:
    assert certainty(Checked("sdk", "2026-08-08")) == (
        "checked: compared with two public SDKs on 2026-08-08; a mismatch is a warning, and the request is sent"
    )
    assert certainty(None).startswith("unchecked: ")


def test_a_vocabulary_adds_its_own_terms(folder: Path, write: Write) -> None:
    write(
        "a.yaml",
        """
        operations:
          /v1/x:
            post:
              deprecated: true
              mutual_tls: true
              body: {a: {encrypted: true, deprecated: true, doubt: why}}
        """,
    )
    terms = {"deprecated_operation": "retiré", "mutual_tls": "certificat client", "unchecked": "non vérifié"}
    terms |= {"encrypted": "chiffré", "deprecated_field": "obsolète", "doubt": "incertain"}
    tree = Tree([str(folder)], CHAINS, "json", terms)
    (declared,) = tree.declared()
    text = describe(declared.operation(), tree.terms)
    assert "\n  deprecated (retiré)\n  needs the client certificate (certificat client)\n" in text
    assert "\n  unchecked: compared with no official page (non vérifié); " in text
    assert "a: string (encrypted (chiffré); deprecated (obsolète); uncertain (incertain): why)" in text
    assert certainty(Checked("sdk", "2026-08-08"), {"sdk": "SDK publics"}).startswith(
        "checked: compared with two public SDKs (SDK publics) on 2026-08-08; "
    )


def test_an_operation_that_says_nothing(folder: Path, write: Write) -> None:
    write("a.yaml", "operations: {/v1/x.y/1st: {get: {status: 204}}}")
    (declared,) = tree_of(folder).declared()
    assert describe(declared.operation()) == (
        'GET /v1/x.y/1st — GET /v1/x.y/1st\nawait v1["x.y"]["1st"].get(…)\n\nreturns nothing (204)'
    )


def test_what_it_returns_where_that_is_a_file(folder: Path, write: Write) -> None:
    write("a.yaml", "operations: {/v1/x: {get: {summary: 账单, produces: text/csv}}}")
    (declared,) = tree_of(folder).declared()
    assert describe(declared.operation()).endswith("returns text/csv (200)")
