"""Claims in Redis, for several machines. Each step is one Lua script, so it is atomic; leases use the clock of Redis.

Set ``appendonly yes`` and ``maxmemory-policy noeviction``: a notification that Redis forgets is handled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from wxpay_dsl.core.errors import ConfigurationError

from .store import KEEP, Claim, Finished, StoreUnavailableError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore"]

# A value is `c` and the token of the claim, which expires with the lease; or `d`, the token and the data of the
# acknowledgement, for a finished notification. In _DONE the expiry 0 means none.
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
    "local value = 'd' .. ARGV[1] .. ARGV[3] "
    "if ARGV[2] == '0' then redis.call('SET', KEYS[1], value) "
    "else redis.call('SET', KEYS[1], value, 'PX', ARGV[2]) end "
    "return 1"
)
_RELEASE: Final = _HELD + "if held == mine then redis.call('DEL', KEYS[1]) end return 1"


class RedisStore:
    """Claims in Redis 5 or later; needs the extra ``redis``.

    A notification is finished when Redis confirms it. How soon that survives a crash of Redis depends on its
    persistence: within a second with ``appendfsync everysec``.
    """

    def __init__(self, url: str, *, prefix: str = "wxpay:notify:", timeout: float = 1.0, keep: float = KEEP) -> None:
        """``url``: ``redis://…``, ``rediss://…`` or ``unix://…``; ``timeout``: seconds for one response of
        Redis; ``keep``: seconds for which finished notifications are remembered.

        Connects at first use, once for each event loop; ``asyncio.run`` closes the connections with its loop. Raises
        ConfigurationError if the extra is missing or the URL is invalid.
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
            # One more attempt, because a connection that a restart of Redis closed fails at its next use. Every script
            # may run twice: it recognises its own token.
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
        # A connection belongs to the event loop that opened it; a forked process has another loop.
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

    async def done(self, claim: Claim, data: bytes) -> bool:
        """See :meth:`Store.done <wxpay_dsl.notify.stores.Store.done>`."""
        expiry = 0 if claim.persistent else _milliseconds(self.keep)
        return bool(await self._run(_DONE, claim, expiry, data))

    async def release(self, claim: Claim) -> None:
        """See :meth:`Store.release <wxpay_dsl.notify.stores.Store.release>`."""
        await self._run(_RELEASE, claim)

    async def close(self) -> None:
        """Closes the connections of the running loop."""
        kept = self._clients.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept[1].aclose()

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        kept = self._clients.get(loop)
        if kept is None:
            # A loop that was closed without `asyncio.run` did not close its connections: drop the last reference to
            # them.
            for ended in [other for other in list(self._clients) if other.is_closed()]:
                self._clients.pop(ended, None)
            client = self._connect()
            keeper = self._close_with_loop(loop, client)
            with suppress(StopIteration):
                keeper.__anext__().send(None)
            kept = self._clients[loop] = client, keeper
        return kept[0]

    async def _close_with_loop(self, loop: asyncio.AbstractEventLoop, client: Redis) -> AsyncGenerator[None, None]:
        """Closes the connections before their loop ends: ``asyncio.run`` closes the async generators of its loop."""
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
