"""A spec file is loaded as operations, events and definitions; every mistake has file, line and column."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.core.conftest import CHAINS, Write
from wxpay_dsl.core.errors import SpecError
from wxpay_dsl.core.specs.loader import Product, load, outline, read_definitions
from wxpay_dsl.core.specs.references import MAX_REFS

MISTAKES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "grammar.yaml").read_text("utf-8"))


def product(folder: Path, name: str = "shop.yaml", *below: Path) -> Product:
    return load((*map(str, below), str(folder)), str(folder / name), "json", CHAINS)


def test_the_shortest_spec_is_a_whole_operation(folder: Path, write: Write) -> None:
    write("shop.yaml", "operations: {/v1/my/new/endpoint: {post: {}}}")
    operation = product(folder).operations["/v1/my/new/endpoint", "post"]
    assert operation.name == "POST /v1/my/new/endpoint"
    assert (operation.verify, operation.sign, operation.status) == (True, True, 200)
    assert operation.body is None
    assert operation.returns is None


def test_what_a_file_says_holds_for_its_operations_that_say_nothing_else(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        title: 商店
        path: /v1
        dialect: old
        host: https://shop.example
        roles: [owner]
        tags: [shop]
        operations:
          /a: {post: {summary: 一}}
          /b: {get: {host: 'https://other.example:8443', roles: [guest], status: 204, verify: false}}
        """,
    )
    loaded = product(folder)
    a, b = loaded.operations["/v1/a", "post"], loaded.operations["/v1/b", "get"]
    assert (a.host, a.roles, a.tags, a.summary, a.product) == (
        "https://shop.example",
        ("owner",),
        ("shop",),
        "一",
        "商店",
    )
    assert (b.host, b.roles, b.tags, b.status, b.verify) == (
        "https://other.example:8443",
        ("guest",),
        ("shop",),
        204,
        False,
    )
    assert a.chain == ("old", "v1", "a")
    assert a.file == str(folder / "shop.yaml")


def test_fields(folder: Path, write: Write) -> None:
    write(
        "shop.yaml",
        """
        operations:
          /v1/{shop}/orders/{order_id}:
            post:
              path:
                order_id: {title: 单号, type: integer}
              query: {dry_run?: {type: boolean}}
              header: {X-Trace?: 跟踪}
              body:
                title: 标题
                day: {format: date, example: 2020-03-19}
                kind: {enum: [no, yes]}
                amount: {properties: {total: {type: integer, minimum: 1}, currency?: {default: CNY}}}
                goods?: {items: {properties: {id: 编号}}, maxItems: 3}
                extra?: {type: object}
                free?: {additionalProperties: {type: integer}}
                empty?:
                phone: {encrypted: true, contentMediaType: application/json}
              returns: {$schema: {items: 号}}
        """,
    )
    operation = product(folder).operations["/v1/{shop}/orders/{order_id}", "post"]
    assert list(operation.parameters.properties) == ["shop", "order_id"]
    assert operation.parameters.required == {"shop", "order_id"}
    assert operation.parameters.properties["order_id"].type == "integer"
    assert operation.query is not None
    assert operation.query.required == frozenset()
    assert operation.header is not None
    assert list(operation.header.properties) == ["X-Trace"]
    body = operation.body
    assert body is not None
    assert body.required == {"title", "day", "kind", "amount", "phone"}
    assert body.additional is None
    fields = body.properties
    assert fields["title"].title == "标题"
    assert fields["day"].example == "2020-03-19"
    assert fields["kind"].enum == ("no", "yes")
    assert (fields["amount"].type, fields["amount"].required) == ("object", {"total"})
    goods = fields["goods"]
    assert (goods.type, goods.max_items) == ("array", 3)
    assert goods.items is not None
    assert goods.items.properties["id"].title == "编号"
    assert fields["extra"].additional is not None
    assert fields["extra"].additional.type == "any"
    free = fields["free"].additional
    assert free is not None
    assert free.type == "integer"
    assert fields["empty"].type == "string"
    assert (fields["phone"].encrypted, fields["phone"].media_type) == (True, "application/json")
    assert operation.returns is not None
    assert operation.returns.type == "array"


def test_events(folder: Path, write: Write) -> None:
    write(
        "events.yaml",
        "dialect: old\nevents: {PAID: {summary: 成功, body: {id: 号}, resource: {total: {type: integer}}}}",
    )
    event = product(folder, "events.yaml").events["PAID"]
    assert (event.name, event.dialect, event.summary) == ("PAID", "old", "成功")
    assert event.resource is not None
    assert event.resource.properties["total"].type == "integer"


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case["name"])
def test_mistakes(case: dict[str, Any], folder: Path, write: Write) -> None:
    write("shop.yaml", case["text"].encode())
    with pytest.raises(SpecError) as raised:
        product(folder)
    error = raised.value
    assert case["says"] in error.message
    assert (error.file, error.line, error.column) == (str(folder / "shop.yaml"), *case["at"])


class TestReferences:
    def test_in_this_file_beside_it_and_from_the_root(self, folder: Path, write: Write) -> None:
        write("common.yaml", "AppId: {title: 应用, maxLength: 32}")
        write("v1/names.yaml", "definitions: {Name: {title: 名, example: x}}\noperations: {}")
        write(
            "v1/shop.yaml",
            """
            definitions:
              Amount: {properties: {total: {type: integer}}}
              a/b~c: 斜线
            operations:
              /v1/a:
                post:
                  body:
                    one: {$ref: '#/definitions/Amount'}
                    two: {$ref: ../common.yaml#/AppId}
                    three: {$ref: /common.yaml#/AppId}
                    four: {$ref: 'names.yaml#/definitions/Name'}
                    five: {$ref: '#/definitions/a~1b~0c'}
                  returns: {$ref: '#/definitions/Amount'}
            """,
        )
        loaded = product(folder, "v1/shop.yaml")
        body = loaded.operations["/v1/a", "post"].body
        assert body is not None
        assert body.properties["one"].properties["total"].type == "integer"
        assert body.properties["two"].max_length == body.properties["three"].max_length == 32
        assert body.properties["two"].ref == "../common.yaml#/AppId"
        assert body.properties["four"].example == "x"
        assert body.properties["five"].title == "斜线"
        assert list(loaded.definitions) == ["Amount", "a/b~c"]

    def test_words_beside_a_reference_win_and_fields_are_added(self, folder: Path, write: Write) -> None:
        write(
            "shop.yaml",
            """
            definitions:
              Payer: {title: 付款人, description: 谁, properties: {openid: 标识, name: 名}}
            operations:
              /a:
                post:
                  body:
                    payer: {$ref: '#/definitions/Payer', title: 付款者, properties: {name?: 名字, age: {type: integer}}}
            """,
        )
        body = product(folder).operations["/a", "post"].body
        assert body is not None
        payer = body.properties["payer"]
        assert (payer.title, payer.description) == ("付款者", "谁")
        assert list(payer.properties) == ["openid", "name", "age"]
        assert payer.required == {"openid", "age"}

    def test_the_latest_folder_is_the_first_for_a_reference_from_the_root(
        self, folder: Path, write: Write, tmp_path: Path
    ) -> None:
        own = tmp_path / "own"
        write("common.yaml", "A: 包里的\nB: 都有")
        write("common.yaml", "A: 自己的", own)
        write("shop.yaml", "operations: {/a: {post: {body: {a: {$ref: /common.yaml#/A}}}}}", own)
        body = product(own, "shop.yaml", folder).operations["/a", "post"].body
        assert body is not None
        assert body.properties["a"].title == "自己的"

    def test_the_packages_definitions_serve_other_folders(self, folder: Path, write: Write, tmp_path: Path) -> None:
        own = tmp_path / "own"
        write("common.yaml", "A: 包里的")
        write("shop.yaml", "operations: {/a: {post: {body: {a: {$ref: /common.yaml#/A}}}}}", own)
        body = product(own, "shop.yaml", folder).operations["/a", "post"].body
        assert body is not None
        assert body.properties["a"].title == "包里的"

    def test_a_mistake_in_a_definition_is_shown_where_the_definition_is(self, folder: Path, write: Write) -> None:
        common = write("common.yaml", "Good: 好\nBad: {maxLenth: 3}\n")
        write("shop.yaml", "operations: {/a: {post: {body: {a: {$ref: common.yaml#/Bad}}}}}")
        with pytest.raises(SpecError, match="did you mean 'maxLength'") as raised:
            product(folder)
        assert (raised.value.file, raised.value.line, raised.value.column) == (str(common), 2, 7)

    def test_a_circle_through_two_files(self, folder: Path, write: Write) -> None:
        write("a.yaml", "definitions: {A: {$ref: 'b.yaml#/B'}}\noperations: {}")
        write("b.yaml", "B: {properties: {a: {$ref: 'a.yaml#/definitions/A'}}}")
        with pytest.raises(SpecError, match="is circular"):
            product(folder, "a.yaml")

    def test_a_link_that_leads_out_of_the_folder_is_not_followed(
        self, folder: Path, write: Write, tmp_path: Path
    ) -> None:
        (tmp_path / "secret.yaml").write_text("A: 秘")
        (folder / "inside.yaml").symlink_to(tmp_path / "secret.yaml")
        write("shop.yaml", "operations: {/a: {post: {body: {a: {$ref: inside.yaml#/A}}}}}")
        with pytest.raises(SpecError, match="leads out of the spec folder"):
            product(folder)

    def test_ten_thousand_definitions_that_lead_to_one_another(self, folder: Path, write: Write) -> None:
        chain = "".join(f"  D{i}: {{$ref: '#/definitions/D{i + 1}'}}\n" for i in range(10_000))
        write("shop.yaml", f"definitions:\n{chain}  D10000: 底\noperations: {{/a: {{get: {{}}}}}}\n")
        with pytest.raises(SpecError, match=f"more than {MAX_REFS} definitions refer to one another in a row"):
            product(folder)

    def test_deep_definitions_that_lead_to_deep_definitions(self, folder: Path, write: Write) -> None:
        deep = "{properties: {a: " * 28 + "{$ref: '#/definitions/NEXT'}" + "}}" * 28
        chain = "".join(f"  D{i}: {deep.replace('NEXT', f'D{i + 1}')}\n" for i in range(30))
        write("shop.yaml", f"definitions:\n{chain}  D30: 底\noperations: {{/a: {{get: {{}}}}}}\n")
        with pytest.raises(SpecError, match="refer to one another too deeply"):
            product(folder)

    def test_definitions_that_double_at_every_step_are_refused(self, folder: Path, write: Write) -> None:
        ref = "{{$ref: '#/definitions/D{0}'}}"
        doubling = "".join(
            f"  D{i}: {{properties: {{a: {ref.format(i + 1)}, b: {ref.format(i + 1)}}}}}\n" for i in range(25)
        )
        write(
            "shop.yaml", f"definitions:\n{doubling}  D25: 底\noperations: {{/a: {{post: {{body: {ref.format(0)}}}}}}}\n"
        )
        with pytest.raises(SpecError, match=r"shop\.yaml:12:26: its references expand to more than 20000 fields"):
            product(folder)


def test_a_file_of_definitions_alone(folder: Path, write: Write) -> None:
    file = write("common.yaml", "AppId: 应用\nAmount: {properties: {total: {type: integer}}}\n")
    assert product(folder, "common.yaml").operations == {}
    definitions = read_definitions((str(folder),), str(file))
    assert list(definitions) == ["AppId", "Amount"]
    assert definitions["Amount"].properties["total"].type == "integer"


def test_the_outline_looks_at_no_field(folder: Path, write: Write) -> None:
    file = write("a.yaml", "title: T\npath: /v1\noperations: {/a: {post: {summary: 一, body: {x: {typo: 1}}}}}")
    read = outline(file.read_bytes(), str(file), "json")
    assert (read.title, read.dialect, read.paths) == ("T", "json", (("/v1/a", {"post": "一"}),))


class TestOnceAProcess:
    """A process caches what it has loaded until one of the files changes."""

    TEXT = "operations: {{/a: {{post: {{body: {{a: {{$ref: /common.yaml#/A, title: {title}}}}}}}}}}}"

    @pytest.fixture
    def shop(self, write: Write) -> Path:
        write("common.yaml", "A: {maxLength: 1}")
        return write("shop.yaml", self.TEXT.format(title="x"))

    def test_unchanged_files_are_read_once(self, folder: Path, shop: Path) -> None:
        assert product(folder) is product(folder)
        for file in (shop, folder / "common.yaml"):
            os.utime(file, ns=(10**18, 10**18))
        first = product(folder)
        assert product(folder) is first

    def test_an_edit_of_the_same_size_in_the_same_instant_wins(self, folder: Path, shop: Path) -> None:
        product(folder)
        for title in "yzxy":
            before = shop.stat()
            shop.write_text(self.TEXT.format(title=title))
            os.utime(shop, ns=(before.st_atime_ns, before.st_mtime_ns))
            body = product(folder).operations["/a", "post"].body
            assert body is not None
            assert body.properties["a"].title == title

    def test_an_edited_definition_wins(self, folder: Path, shop: Path) -> None:
        product(folder)
        (folder / "common.yaml").write_text("A: {maxLength: 2}")
        body = product(folder).operations["/a", "post"].body
        assert body is not None
        assert body.properties["a"].max_length == 2

    def test_a_definition_that_appears_in_a_later_folder_wins(self, folder: Path, shop: Path, tmp_path: Path) -> None:
        own = tmp_path / "own"
        own.mkdir()
        shop.rename(own / "shop.yaml")

        def length() -> int | None:
            body = product(own, "shop.yaml", folder).operations["/a", "post"].body
            assert body is not None
            return body.properties["a"].max_length

        assert length() == 1
        (own / "common.yaml").write_text("A: {maxLength: 7}")
        assert length() == 7
        (own / "common.yaml").unlink()
        assert length() == 1

    def test_a_file_that_is_gone_says_so(self, folder: Path, shop: Path) -> None:
        product(folder)
        shop.unlink()
        with pytest.raises(SpecError, match=r"shop\.yaml: cannot be read: No such file"):
            product(folder)
