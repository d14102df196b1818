"""``wxpay docs``: builds the documentation and serves it on loopback."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from wxpay_dsl.cli.input.options import json_option

__all__ = ["docs"]

_HELP = """Build and browse the documentation: operations, notifications, guides, reference. 文档

\b
Examples:
  wxpay docs                        build the site and serve it on loopback
  wxpay docs build --out site       write the pages, which open without a server or network
"""

_BUILD_HELP = """Write the whole site into a folder; its pages open without a server. 生成文档

\b
Example:
  wxpay docs build --out site --specs my-specs
"""

_SERVE_HELP = """Build the site in a temporary folder and serve it on loopback until Ctrl-C. 浏览文档

\b
Example:
  wxpay docs serve --port 8008
"""

_SPECS = click.option(
    "--specs",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="A folder of your own specs, documented as well; may be repeated.",
)


@click.group(help=_HELP, invoke_without_command=True)
@json_option
@click.pass_context
def docs(context: click.Context, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Serves the site unless a subcommand is given."""
    if context.invoked_subcommand is None:
        context.invoke(serve, as_json=as_json)


@docs.command(help=_BUILD_HELP)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write.")
@_SPECS
@json_option
def build(out: Path, folders: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Builds the site."""
    _build(out, folders)
    index = out / "index.html"
    if as_json:
        from wxpay_dsl.cli.output.terminal import write_json

        write_json({"out": str(out), "index": str(index)})
    else:
        click.echo(f"{index}", err=True)


@docs.command(help=_SERVE_HELP)
@click.option("--port", default=8008, show_default=True, type=click.IntRange(0, 65535))
@_SPECS
@json_option
def serve(port: int = 8008, folders: tuple[str, ...] = (), *, as_json: bool = False) -> None:
    """Serves the site."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from tempfile import TemporaryDirectory

    from wxpay_dsl.cli.output.terminal import print_ready

    with TemporaryDirectory() as folder:
        click.echo("building (建立文档) …", err=True)
        _build(Path(folder), folders)
        handler = partial(SimpleHTTPRequestHandler, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
            print_ready(f"http://127.0.0.1:{server.server_address[1]}", as_json=as_json)
            server.serve_forever()


def _build(out: Path, folders: tuple[str, ...]) -> None:
    try:
        from wxpay_dsl.site.build import build as build_site
    except ModuleNotFoundError as error:
        raise click.ClickException(f"the documentation needs {error.name}: pip install 'wxpay-dsl[docs]'") from None
    # The library that segments Chinese text logs its start at INFO.
    logging.getLogger("jieba").addFilter(lambda record: record.levelno >= logging.WARNING)
    try:
        build_site(out, folders)
    except (FileExistsError, NotADirectoryError) as error:
        raise click.UsageError(f"--out {error.filename}: {error.strerror}") from None
