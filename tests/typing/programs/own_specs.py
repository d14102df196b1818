"""A user's program over its own specs, whose stubs `wxpay stubs` wrote as the package `shop_pay`."""

from shop_pay import Wechatpay


async def right(wxpay: Wechatpay) -> None:
    response = await wxpay.v3.my.thing.post(name="tea", amount=100)
    reveal_type(response.data["id"])
    added = await wxpay.v3.eduPapay.contracts.archive.post(contract_id="wx998877665544wx")
    reveal_type(added.data["archived"])
    still = await wxpay.v3.eduPapay.contracts._contract_id_.delete(contract_id="wx998877665544wx")
    reveal_type(still.data)


async def wrong(wxpay: Wechatpay) -> None:
    await wxpay.v3.my.thing.post(name="tea", amount="100")
    await wxpay.v3.my.thng.post()
