"""An operation as a page of text: what `help(node)` and the command line show."""

from __future__ import annotations

from pathlib import Path

from tests.core.conftest import Write, tree_of
from wxpay_dsl.core.model import Checked
from wxpay_dsl.core.page import certainty, describe, dotted

PAGE = """\
发货 — POST /v1/shop-floor/{order_id}/return
Sends it.
await v1.shopFloor._order_id_.return_.post(…)
  deprecated (已下线)
  needs the client certificate (双向证书)
  its answer is not signed
  served by https://hk.example
  roles: owner, clerk
  checked: compared with the official pages (官方文档) on 2026-08-08
  https://shop.example/docs

path
  order_id: string  单号 (e.g. 1217)

query
  dry?: boolean

body
  name: string  姓名 (≤10; encrypted (敏感信息加密))
  kind?: string (a | b)
  desk?: string (clerk only; required of these)
  floor?: integer (clerk only)
  till?: string (required of owner; uncertain (待核实): one SDK alone)
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
        "checked: compared with two public SDKs (公开 SDK) on 2026-08-08; what differs is warned of and sent"
    )
    assert certainty(None).startswith("unchecked: ")


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
