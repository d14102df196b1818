"""A progress bar for the files that a call uploads."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.request.files import Upload, prepare
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import Operation

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from wxpay_dsl.core.errors import FieldError

__all__ = ["with_progress"]


@asynccontextmanager
async def with_progress(operation: Operation | None, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    """``fields`` with each file wrapped to move a progress bar on stderr while it is sent, anew at each attempt.

    Without a terminal ``fields`` is given back. A file that cannot be read is left for the call to refuse.
    """
    names = [name for name in file_fields(operation) if name in fields]
    if not names or not sys.stderr.isatty():
        yield fields
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from .terminal import stderr

    columns = TextColumn("uploading 上传中 {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    field_errors: list[FieldError] = []
    with Progress(*columns, console=stderr()) as bar:
        files: dict[str, Any] = {}
        for name in names:
            upload = await prepare(fields[name], field_errors, name)
            if upload is not None:
                task = bar.add_task(upload.name, total=upload.size)
                files[name] = _counted(upload, partial(_update, bar, task))
        yield {**fields, **files}


def _update(bar: Progress, task: TaskID, sent: int) -> None:
    bar.update(task, completed=sent)


def _counted(upload: Upload, on_sent: Callable[[int], None]) -> Upload:
    """The upload, calling ``on_sent`` with the bytes sent so far after each chunk."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        sent = 0
        async for chunk in upload.chunks():
            yield chunk
            # The consumer asks for the next chunk once it has sent this one.
            sent += len(chunk)
            on_sent(sent)

    return Upload(upload.name, upload.content_type, upload.size, upload.sha256, chunks)
