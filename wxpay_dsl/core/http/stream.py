"""A response whose body is read as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Final

import aiohttp

from wxpay_dsl.core.errors import RequestTimeoutError
from wxpay_dsl.core.messages import Request

from .errors import connection_error

__all__ = ["Stream"]


class Stream:
    """A response whose headers were received and whose body is read in chunks."""

    def __init__(self, request: Request, response: aiohttp.ClientResponse, timeout: float) -> None:
        self._request = request
        self._response = response
        self._timeout = timeout
        self.status: Final = response.status
        #: Case-insensitive.
        self.headers: Final[Mapping[str, str]] = response.headers
        #: The announced length of the body in bytes; None if it was not announced.
        self.size: Final = response.content_length

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Iterates over the body. Raises ResponseTruncatedError, RequestTimeoutError or ConnectionFailedError."""
        request, content = self._request, self._response.content
        try:
            while True:
                async with asyncio.timeout(self._timeout):
                    chunk = await content.readany()
                if not chunk:
                    return
                yield chunk
        except TimeoutError as error:
            message = f"no data for {self._timeout:g} s in the middle of the response"
            raise RequestTimeoutError(request.name, message, not request.safe) from error
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(request, error) from error
