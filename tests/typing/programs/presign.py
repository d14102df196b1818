"""A user's program: what is right, then what both checkers must refuse."""

from wxpay_dsl import wxpay


async def right() -> str:
    response = await wxpay.v3.eduPapay.contracts.presign.post(
        appid="wx8888888888888888",
        openid="oUpF8uMuAJOM2pxb1Q",
        plan_id="101164396123311331",
        user_id="20200330tony",
        period_start_date="2026-03-19",
        trade_scene="EDUCATION_PERIOD",
        timeout=3,
    )
    reveal_type(response.data["presign_token"])
    await wxpay.v3.eduPapay.contracts.presign(
        {
            "appid": "wx8888888888888888",
            "openid": "oUpF8uMuAJOM2pxb1Q",
            "plan_id": "101164396123311331",
            "user_id": "20200330tony",
            "period_start_date": "2026-03-19",
            "trade_scene": "EDUCATION_PERIOD",
        },
        headers={"X-Trace": "1"},
    )
    ended = await wxpay.v3.eduPapay.contracts._contract_id_.delete(contract_id="wx998877665544wx")
    reveal_type(ended.data)
    anything = await wxpay["v3"]["my"]["thing"].post({"free": "form"})
    reveal_type(anything)
    return response.request_id


async def misspelt_field() -> None:
    await wxpay.v3.eduPapay.contracts._contract_id_.delete(contract_idd="wx998877665544wx")


async def missing_field() -> None:
    await wxpay.v3.eduPapay.contracts.presign.post({"appid": "wx8888888888888888"})


async def wrong_type() -> None:
    await wxpay.v3.eduPapay.contracts._contract_id_.delete(contract_id=1)


async def misspelt_option() -> None:
    await wxpay.v3.eduPapay.contracts._contract_id_.delete(contract_id="wx998877665544wx", timout=3)


async def misspelt_path() -> None:
    await wxpay.v3.eduPapay.contract.presign.post()


async def misspelt_response_field() -> None:
    response = await wxpay.v3.eduPapay.contracts.id._contract_id_.get(contract_id="wx", appid="wx8888888888888888")
    response.data["sp_mchidd"]
