"""The server of the library, on loopback: it stores books, and records every request that it received."""

from __future__ import annotations

from typing import Any, Self

from aiohttp import web
from attrs import field, frozen


@frozen
class Seen:
    """A request as the server received it. ``target`` is the raw path with its query."""

    method: str
    target: str
    headers: Any = field(repr=False)
    body: bytes


class Library:
    """``async with Library() as library``: it serves at ``library.url`` and remembers ``library.seen``."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.books: dict[str, dict[str, Any]] = {}
        self.url = ""
        application = web.Application(middlewares=[self._record], client_max_size=64 * 1024 * 1024)
        application.add_routes(
            [
                web.get("/v1/books", self._find),
                web.post("/v1/books", self._add),
                web.get("/v1/books/{isbn}", self._one),
                web.delete("/v1/books/{isbn}", self._remove),
                web.get("/v1/books/{isbn}/cover", self._cover),
                web.post("/cgi/card", self._card),
                web.route("*", r"/{any:[\s\S]*}", self._any),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.raw_path, request.headers, await request.read()))
        response: web.StreamResponse = await handler(request)
        response.headers["Request-ID"] = f"lib-{len(self.seen)}"
        return response

    async def _find(self, request: web.Request) -> web.Response:
        author = request.query.get("author")
        books = [book for book in self.books.values() if author in (None, book.get("author"))]
        return web.json_response({"books": books})

    async def _add(self, request: web.Request) -> web.Response:
        book = await request.json()
        if book["isbn"] in self.books:
            detail = {"field": "isbn", "issue": "taken"}
            return _refusal(409, "ALREADY_THERE", "We have this book", detail)
        self.books[book["isbn"]] = book
        return web.json_response({"isbn": book["isbn"]}, status=201)

    async def _one(self, request: web.Request) -> web.Response:
        book = self.books.get(request.match_info["isbn"])
        return web.json_response(book) if book else _refusal(404, "NO_SUCH_BOOK", "没有这本书")

    async def _remove(self, request: web.Request) -> web.Response:
        self.books.pop(request.match_info["isbn"], None)
        return web.Response(status=204)

    async def _cover(self, request: web.Request) -> web.Response:
        return web.Response(body=b"\x89PNG...", content_type="image/png")

    async def _card(self, request: web.Request) -> web.Response:
        lines = (await request.text()).splitlines()
        if "name=" in lines:
            return web.Response(status=400, text="ERR a card needs a name")
        return web.Response(text=f"number=42\nlines={len(lines)}\n")

    async def _any(self, request: web.Request) -> web.Response:
        if request.path.startswith("/v1/nowhere") or request.path.startswith("/v1/boks"):
            return _refusal(404, "NOT_FOUND", "")
        return web.json_response({"method": request.method, "target": request.raw_path})


def _refusal(status: int, code: str, message: str, detail: Any = None) -> web.Response:
    return web.json_response({"code": code, "message": message, "detail": detail}, status=status)
