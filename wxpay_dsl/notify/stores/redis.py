"""Claims in Redis, for several machines. Each step is one Lua script, so atomic; leases run by Redis' own clock.

Set ``appendonly yes`` and ``maxmemory-policy noeviction``: what Redis forgets is handled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from wxpay_dsl.core.errors import ConfigurationError

from . import KEEP, Claim, Finished, StoreUnavailableError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore"]

# A value is `c` and the token of whoever holds the claim, living as long as the lease; or `d`, the token and the
# answer, once it is finished. A key that is not there is nobody's.
_HELD: Final = "local held = redis.call('GET', KEYS[1]) local mine = 'c' .. ARGV[1] "
_CLAIM: Final = (
    _HELD + "if not held or held == mine then redis.call('SET', KEYS[1], mine, 'PX', ARGV[2]) end return held"
)
_RENEW: Final = _HELD + (
    "if held and held ~= mine then return string.sub(held, 1, 33) == 'd' .. ARGV[1] and 1 or 0 end "
    "redis.call('SET', KEYS[1], mine, 'PX', ARGV[2]) return 1"
)
_DONE: Final = _HELD + (
    "if held and held ~= mine then return string.sub(held, 1, 33) == 'd' .. ARGV[1] and 1 or 0 end "
    "redis.call('SET', KEYS[1], 'd' .. ARGV[1] .. ARGV[3], 'PX', ARGV[2]) return 1"
)
_RELEASE: Final = _HELD + "if held == mine then redis.call('DEL', KEYS[1]) end return 1"


class RedisStore:
    """Claims in Redis 5 or later; needs the extra ``redis``.

    What a handler did counts as finished when Redis says so: how soon that survives a crash of Redis is its own
    persistence, a second with ``appendfsync everysec``.
    """

    def __init__(self, url: str, *, prefix: str = "wxpay:notify:", timeout: float = 1.0, keep: float = KEEP) -> None:
        """``url``: ``redis://…``, ``rediss://…`` or ``unix://…``; ``timeout``: seconds for one answer of Redis.

        Connects when first used, once an event loop; ``asyncio.run`` closes the connections with its loop. Raises
        ConfigurationError where the extra is missing, or the URL is none.
        """
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            message = "Redis needs its client: pip install 'wxpay-dsl[redis]'"
            raise ConfigurationError(message) from None

        def connect() -> Redis:
            # One attempt more, since a connection that Redis closed by a restart fails at its next use. Every script
            # may run twice: it knows its own token.
            return Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 1),
            )

        try:
            connect()
        except ValueError as error:
            raise ConfigurationError(f"the store's URL: {error}") from None
        self.keep = keep
        self._connect = connect
        self._prefix = prefix
        self._timeout = timeout
        self._errors: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        # A connection belongs to the loop that opened it; a forked process has another loop.
        self._clients: dict[asyncio.AbstractEventLoop, tuple[Redis, AsyncGenerator[None, None]]] = {}

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        """See :meth:`Store.claim <wxpay_dsl.notify.stores.Store.claim>`."""
        held = await self._run(_CLAIM, claim, _milliseconds(lease))
        if held is None or held == b"c" + claim.token.encode():
            return True
        return Finished(held[33:]) if held.startswith(b"d") else False

    async def renew(self, claim: Claim, lease: float) -> bool:
        """See :meth:`Store.renew <wxpay_dsl.notify.stores.Store.renew>`."""
        return bool(await self._run(_RENEW, claim, _milliseconds(lease)))

    async def done(self, claim: Claim, answer: bytes) -> bool:
        """See :meth:`Store.done <wxpay_dsl.notify.stores.Store.done>`."""
        return bool(await self._run(_DONE, claim, _milliseconds(self.keep), answer))

    async def release(self, claim: Claim) -> None:
        """See :meth:`Store.release <wxpay_dsl.notify.stores.Store.release>`."""
        await self._run(_RELEASE, claim)

    async def close(self) -> None:
        """Closes this loop's connections."""
        kept = self._clients.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept[1].aclose()

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        kept = self._clients.get(loop)
        if kept is None:
            # A loop that was closed past `asyncio.run` took no leave; its sockets go with the last reference to them.
            for ended in [other for other in list(self._clients) if other.is_closed()]:
                self._clients.pop(ended, None)
            client = self._connect()
            keeper = self._close_with_loop(loop, client)
            with suppress(StopIteration):
                keeper.__anext__().send(None)
            kept = self._clients[loop] = client, keeper
        return kept[0]

    async def _close_with_loop(self, loop: asyncio.AbstractEventLoop, client: Redis) -> AsyncGenerator[None, None]:
        """Closes connections before their loop ends: ``asyncio.run`` closes the generators that its loop has seen."""
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            await client.aclose()

    async def _run(self, script: str, claim: Claim, *arguments: int | bytes) -> Any:
        client = self._client()
        try:
            # The time limit is for the whole: connecting, asking, asking again.
            async with asyncio.timeout(self._timeout * 2):
                # The library types one method for both of its clients, and differently in each of its versions.
                answer = client.eval(script, 1, self._prefix + claim.key, claim.token, *arguments)
                return await cast("Awaitable[Any]", answer)
        except self._errors as error:
            message = f"Redis does not answer ({type(error).__name__}: {str(error)[:200]})"
            raise StoreUnavailableError(message) from error


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
