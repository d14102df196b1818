"""Files that are being uploaded, with a bar on the terminal."""

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

__all__ = ["watched"]


@asynccontextmanager
async def watched(operation: Operation | None, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
    """``fields``, whose files move a bar as they are sent, from its beginning at each attempt.

    Where nobody looks there is none. A file that cannot be read stays as it is: the call says what is wrong with it.
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
                files[name] = _watched(upload, partial(_move, bar, task))
        yield {**fields, **files}


def _move(bar: Progress, task: TaskID, sent: int) -> None:
    bar.update(task, completed=sent)


def _watched(upload: Upload, moved: Callable[[int], None]) -> Upload:
    async def chunks() -> AsyncGenerator[bytes, None]:
        sent = 0
        async for chunk in upload.chunks():
            yield chunk
            # Whoever reads asks for more once it has sent this.
            sent += len(chunk)
            moved(sent)

    return Upload(upload.name, upload.content_type, upload.size, upload.sha256, chunks)
