"""HTML pages for the payer: what waits for a payer, with buttons to approve or decline it. They use no script."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Final
from urllib.parse import parse_qs

from wxpay_dsl.sandbox.domain.combined import CombinedOrder
from wxpay_dsl.sandbox.domain.contracts import Contract
from wxpay_dsl.sandbox.domain.payscore import ServiceOrder
from wxpay_dsl.sandbox.domain.transactions import STATES, Transaction, current
from wxpay_dsl.sandbox.protocol.messages import Call, Refusal, Response

from . import payer
from .control import Control
from .payer import PayerTask

__all__ = ["PREFIXES", "respond"]

#: The path prefixes of the pages.
PREFIXES: Final = ("/sandbox/pay/", "/sandbox/sign/")

_PAGE: Final = Template(
    """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title · 微信支付沙箱</title>
<style>
:root { color-scheme: light dark; --ground: #fff; --text: #1b211e; --quiet: #5c6762 }
:root { --link: #067a3f; --yes: #067a3f; --on-yes: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ground: #141816; --text: #e4e9e6; --quiet: #9aa6a0; --link: #2fc477; --yes: #2fc477; --on-yes: #06170d }
}
body { font: 16px/1.6 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }
body { background: var(--ground); color: var(--text) }
h1 { font-size: 1.2rem; font-weight: 500 }
p.sum { font-size: 2.4rem; margin: .5rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; color: var(--quiet) }
dd { margin: 0; color: var(--text); overflow-wrap: anywhere }
button { font: inherit; padding: .6rem 2rem; border: 0; border-radius: .3rem; cursor: pointer }
button.yes { background: var(--yes); color: var(--on-yes) }
a { color: var(--link); text-underline-offset: .15em; overflow-wrap: anywhere }
li { margin: .4rem 0 }
small { color: var(--quiet) }
footer { margin-top: 2rem; border-top: 1px solid; border-color: color-mix(in srgb, var(--quiet) 30%, transparent) }
</style>
<h1>$title</h1>
$content
<footer><p><small>沙箱 · sandbox: no real money &emsp; <a href="/sandbox">等待处理 Waiting</a> &emsp;
<a href="/">接口 API explorer</a></small></p></footer>
</html>
"""
)
_FORM: Final = (
    '<form method="post"><button class="yes" name="do" value="approve">{yes}</button> '
    '<button name="do" value="decline">{no}</button></form>'
)


def respond(control: Control, call: Call) -> Response:
    """The page of one record, the result of its button, or the list of what waits for a payer. Raises Refusal."""
    prefix = next((prefix for prefix in PREFIXES if call.path.startswith(prefix)), None)
    if prefix is None:
        return _html("等待付款人处理 · Waiting for the payer", _waiting_list(control))
    reference = call.path.removeprefix(prefix)
    try:
        if call.method == "POST":
            return _submit(control, call, reference)
        return _page_of(payer.find(control.state, reference), control)
    except Refusal as refusal:
        return _html(
            "无法完成 · Cannot be done", f"<p>{escape(refusal.message)}<p><small>{refusal.code}</small>", refusal.status
        )


def _submit(control: Control, call: Call, reference: str) -> Response:
    action = parse_qs(call.body.decode("ascii", "replace")).get("do", [""])[0]
    if action == "approve":
        control.pay(reference)
    else:
        control.decline(reference)
    redirect = parse_qs(call.query).get("redirect_url", [""])[0]
    if redirect.startswith(("http://", "https://")):
        # H5支付 returns to the merchant's page.
        return Response(302, None, {"Location": redirect}, signed=False)
    return _page_of(payer.find(control.state, reference), control)


def _page_of(task: PayerTask, control: Control) -> Response:
    if isinstance(task, Transaction):
        task = current(task, control.state.now)
        facts = {"商户": task.mchid, "商品": task.description, "订单号": task.out_trade_no}
        open_ = task.state in ("NOTPAY", "USERPAYING")
        return _task_page(
            "付款 · Pay",
            task.total,
            {**facts, "状态": STATES[task.state]},
            ("付款 Pay", "取消 Cancel"),
            open_=open_,
        )
    if isinstance(task, CombinedOrder):
        parts = [control.state.transactions.get(*key) for key in task.parts]
        total = sum(part.total for part in parts if part is not None)
        facts = {"商户": task.mchid, "合单订单号": task.out_trade_no, "子单": str(len(parts))}
        open_ = not task.transaction_id
        return _task_page("合单付款 · Pay", total, facts, ("付款 Pay", "取消 Cancel"), open_=open_)
    if isinstance(task, Contract):
        facts = {"商户": task.mchid, "模板": task.plan_id, "状态": task.state}
        return _task_page(
            "开通自动扣费 · Sign", None, facts, ("签约 Sign", "取消 Cancel"), open_=task.state == "PRESIGNED"
        )
    if isinstance(task, ServiceOrder):
        facts = {"商户": task.mchid, "服务": task.introduction, "状态": task.state}
        return _task_page(
            "确认服务订单 · Confirm", None, facts, ("确认 Confirm", "取消 Cancel"), open_=task.state == "CREATED"
        )
    facts = {"商户": task.mchid, "备注": task.remark, "状态": task.state}
    return _task_page(
        "收款 · Receive",
        task.amount,
        facts,
        ("收款 Receive", "拒绝 Decline"),
        open_=task.state == "WAIT_USER_CONFIRM",
    )


def _task_page(title: str, fen: int | None, facts: dict[str, str], words: tuple[str, str], *, open_: bool) -> Response:
    total = "" if fen is None else f'<p class="sum">{_yuan(fen)}</p>'
    lines = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in facts.items() if value)
    form = _FORM.format(yes=words[0], no=words[1]) if open_ else ""
    return _html(title, f"{total}<dl>{lines}</dl>{form}")


def _waiting_list(control: Control) -> str:
    state = control.state
    tasks: list[tuple[str, str, str]] = []
    for order in state.transactions.all():
        now = current(order, state.now)
        if now.state in ("NOTPAY", "USERPAYING") and not now.combined:
            tasks.append((f"/sandbox/pay/{now.token}", now.description or now.out_trade_no, _yuan(now.total)))
    tasks += [
        (f"/sandbox/pay/{one.token}", one.out_trade_no, "合单")
        for one in state.combined.all()
        if not one.transaction_id
    ]
    tasks += [
        (f"/sandbox/sign/{one.token}", one.out_contract_code, "签约")
        for one in state.contracts.all()
        if one.state == "PRESIGNED"
    ]
    tasks += [
        (f"/sandbox/sign/{one.package}", one.introduction or one.out_order_no, "支付分")
        for one in state.service_orders.all()
        if one.state == "CREATED"
    ]
    tasks += [
        (f"/sandbox/pay/{one.package}", one.remark, f"收款 {_yuan(one.amount)}")
        for one in state.transfers.all()
        if one.state == "WAIT_USER_CONFIRM"
    ]
    if not tasks:
        return "<p>没有等待处理的订单、协议或转账。<br>No order, contract or transfer is waiting."
    lines = (f'<li><a href="{link}">{escape(name)}</a> <small>{note}</small>' for link, name, note in tasks)
    return f"<ul>{''.join(lines)}</ul>"


def _yuan(fen: int) -> str:
    return f"¥{fen // 100}.{fen % 100:02d}"


def _html(title: str, content: str, status: int = 200) -> Response:
    body = _PAGE.substitute(title=escape(title), content=content).encode()
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' http: https:",
        "X-Frame-Options": "DENY",
    }
    return Response(status, body, headers, "text/html; charset=utf-8", signed=False)
