"""The navigation of the site, and the addresses of its pages."""

from __future__ import annotations

from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.site.hover import add_tooltips
from wxpay_dsl.site.products import navigation, place_of, products

SPECS = "/specs"
OTHERS = "/others"


def operation(chain: str, product: str, file: str) -> Operation:
    segments = tuple(chain.split("."))
    return Operation(
        verb="get", path="/" + "/".join(segments), chain=segments, dialect="v3", product=product, file=file
    )


def test_products_that_begin_alike_are_together_and_the_payments_come_first() -> None:
    found = products(
        [
            operation("hk.v3.refunds", "跨境∙退款", f"{SPECS}/hk/v3/refunds.yaml"),
            operation("v3.edu", "教育续费通", f"{SPECS}/v3/edu.yaml"),
            operation("v3.ecommerce.bill", "收付通∙账单", f"{SPECS}/v3/ecommerce/bill.yaml"),
            operation("v3.ecommerce.refunds", "收付通∙退款", f"{SPECS}/v3/ecommerce/refunds.yaml"),
            operation("v3.bill", "基础支付∙账单", f"{SPECS}/v3/bill.yaml"),
            operation("v3.pay", "基础支付", f"{SPECS}/v3/pay.yaml"),
            operation("v2.pay", "APIv2∙基础支付", f"{SPECS}/v2/pay.yaml"),
        ],
        [SPECS],
    )
    assert navigation(found) == [
        {
            "APIv3": [
                {"基础支付": [{"基础支付": "products/v3/pay.md"}, {"账单": "products/v3/bill.md"}]},
                {"收付通": [{"账单": "products/v3/ecommerce/bill.md"}, {"退款": "products/v3/ecommerce/refunds.md"}]},
                {"教育续费通": "products/v3/edu.md"},
            ]
        },
        {"APIv2": [{"基础支付": "products/v2/pay.md"}]},
        {"香港 Hong Kong": [{"跨境∙退款": "products/hk/v3/refunds.md"}]},
    ]


def test_a_family_of_ones_own_comes_last_under_its_own_name() -> None:
    own = operation("mine.thing", "", f"{OTHERS}/mine.yaml")
    found = products([own, operation("v3.pay", "基础支付", f"{SPECS}/v3/pay.yaml")], [SPECS, OTHERS])
    assert navigation(found)[-1] == {"mine": [{"thing": "products/mine.md"}]}


def test_two_files_of_one_name_have_a_page_each() -> None:
    used: set[str] = set()
    places = [
        place_of("products", f"{folder}/v3/pay.yaml", [SPECS, OTHERS], used) for folder in (SPECS, OTHERS, "/else")
    ]
    assert places == ["products/v3/pay.md", "products/v3/pay-2.md", "products/pay.md"]
    assert place_of("notifications", f"{SPECS}/notifications/pay.yaml", [SPECS], used) == "notifications/pay.md"


def test_what_has_no_tables_is_left_as_it_is() -> None:
    for html in ("", "<p>nothing</p>", '<h2 id="get">a</h2><p>b</p>', '<h2 id="body">Body</h2>'):
        assert add_tooltips(html) == html


def test_what_a_name_says_is_text() -> None:
    page = (
        '<code><span class="n">a</span><span class="o">=</span></code><h2 id="body">x</h2><tr><td><code>a</code></td>'
        "<td>string</td><td></td><td>&lt;b&gt; &quot;c&quot; <code>d</code></td></tr>"
    )
    assert '<span class="n" title="string；&lt;b&gt; &quot;c&quot; d">a</span>' in add_tooltips(page)


def test_each_verb_of_a_page_says_what_its_own_fields_mean() -> None:
    def part(verb: str, meaning: str) -> str:
        return (
            f'<h2 id="{verb}">x</h2><code><span class="n">a</span><span class="o">=</span></code>'
            '<h3 id="query_1">q</h3>'
            f"<tr><td><code>a</code></td><td>string</td><td></td><td>{meaning}</td></tr>"
        )

    said = add_tooltips(part("get", "one") + part("post", "two"))
    assert said.index('title="string；one"') < said.index('title="string；two"')


def test_an_operation_without_a_product_is_under_its_second_name() -> None:
    (found,) = products([operation("v3.pay", "", "")], [])
    assert found.title == "pay"
