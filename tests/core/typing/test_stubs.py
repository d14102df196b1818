"""Type stubs of fields that differ between roles."""

from __future__ import annotations

from pathlib import Path

from tests.core.conftest import Write, tree_of
from wxpay_dsl.core.typing.stubs import Vocabulary, generate


def test_a_field_of_some_roles_need_not_be_given_and_says_whose_it_is(folder: Path, write: Write) -> None:
    write(
        "v1/orders.yaml",
        """
        path: /v1/orders
        operations:
          '':
            post:
              summary: Order
              roles: [merchant, partner]
              body:
                number: {title: Number}
                sub_mchid: {title: Sub-merchant, roles: [partner]}
                sub_appid?: {roles: [partner]}
                scene?: {title: Scene, required_by: [merchant]}
              returns: {id: ID}
        """,
    )
    packaged = generate(tree_of(folder), Vocabulary(lambda operation, name: False, {"partner": "服务商"}))
    text = "".join(packaged.files.values())
    for lines in (
        '    number: str\n    """Number"""\n',
        '    sub_mchid: NotRequired[str]\n    """Sub-merchant; partner only; required of these"""\n',
        '    sub_appid: NotRequired[str]\n    """partner only"""\n',
        '    scene: NotRequired[str]\n    """Scene; required of merchant"""\n',
    ):
        assert lines in text
