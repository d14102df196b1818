"""The tree of all declared operations: one branch for each segment of a path, built from the folders' indexes.

Later folders add to earlier ones and override single operations. A file's fields are read when they are first needed.
"""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from wxpay_dsl.core.specs.index import index_folder

if TYPE_CHECKING:
    from wxpay_dsl.core.errors import SpecError
    from wxpay_dsl.core.specs.loader import Product
    from wxpay_dsl.core.specs.model import Event, Operation

__all__ = ["Branch", "Declared", "SpecFile", "Tree", "kebab", "spelling"]

_CAPITAL: Final = re.compile(r"[A-Z]")
_AFTER_DASH: Final = re.compile(r"-([a-z])")
_TEMPLATE_NAME: Final = re.compile(r"_([A-Za-z][A-Za-z0-9_]*?|[A-Za-z])_\Z")


class SpecFile:
    """A spec file, which is read when it is first needed."""

    __slots__ = ("_product", "_tree", "dialect", "error", "path", "root", "title")

    def __init__(
        self, tree: Tree, root: int, path: str, title: str, dialect: str, error: Sequence[object] | None
    ) -> None:
        self._tree = tree
        self.root = root
        self.path = path
        self.title = title
        self.dialect = dialect
        self.error = error
        self._product: Product | None = None

    def __repr__(self) -> str:
        return f"<SpecFile {self.path}>"

    def product(self) -> Product:
        """The file's contents. Raises SpecError, with file and line, if it cannot be read."""
        product = self._product
        if product is None:
            from wxpay_dsl.core.specs.loader import load

            tree = self._tree
            product = self._product = load(tree.folders[: self.root + 1], self.path, tree.default_dialect, tree.chains)
        return product

    def refuse(self) -> NoReturn:
        """Raises the SpecError for which the tree has no operations of this file."""
        from wxpay_dsl.core.errors import SpecError

        self.product()
        raise SpecError("could not be read when this process started, and can be read now: restart it", self.path)

    def changed(self, name: str) -> SpecError:
        """The error for an operation or event that the file no longer declares."""
        from wxpay_dsl.core.errors import SpecError

        return SpecError(f"no longer declares {name}: the file was edited since this process started", self.path)


class Declared(NamedTuple):
    """A declared operation, as far as the index has it."""

    verb: str
    path: str
    summary: str
    file: SpecFile
    #: The origin that serves it; empty for the client's.
    host: str = ""

    def operation(self) -> Operation:
        """The complete operation. Raises SpecError if its file cannot be read, or no longer declares it."""
        operation = self.file.product().operations.get((self.path, self.verb))
        if operation is None:
            raise self.file.changed(f"{self.verb} {self.path}")
        return operation


class Branch:
    """One segment in the tree: its children by segment, and the operations declared on it by verb."""

    __slots__ = ("_hosts", "_names", "broken", "children", "verbs")

    def __init__(self) -> None:
        self.children: dict[str, Branch] = {}
        self.verbs: dict[str, Declared] = {}
        #: Files that seem to declare paths at or below this one, and cannot be read.
        self.broken: list[SpecFile] | None = None
        self._names: dict[str, str] | None = None
        self._hosts: frozenset[str] | None = None

    def named(self, name: str) -> str | None:
        """The child segment that a Python name stands for; None if there is none."""
        if name in self.children:
            return name
        names = self._names
        if names is None:
            names = self._names = {}
            for segment in self.children:
                for alias in _aliases(segment):
                    names.setdefault(alias, segment)
        found = names.get(name)
        if found is None:
            other = kebab(name)
            found = other if other in self.children else names.get(other)
        return found

    def templates(self) -> list[str]:
        """The ``{segments}`` among the children."""
        return [segment for segment in self.children if segment.startswith("{")]

    def hosts(self) -> frozenset[str]:
        """The origins of all operations at or below this branch; ``""`` is the client's."""
        found = self._hosts
        if found is None:
            found = self._hosts = frozenset(declared.host for declared in self.walk())
        return found

    def walk(self) -> Iterator[Declared]:
        """Every operation at or below this branch, in the order of the specs."""
        yield from self.verbs.values()
        for child in self.children.values():
            yield from child.walk()


class Tree:
    """All operations and events of some spec folders."""

    def __init__(
        self,
        folders: Sequence[str],
        chains: Mapping[str, tuple[str, ...]],
        default_dialect: str,
        terms: Mapping[str, str] | None = None,
    ) -> None:
        """``chains`` gives each dialect's prefix in the chain, ``default_dialect`` is that of specs that name none,
        and ``terms`` are shown by :func:`.describe.describe`. Raises FileNotFoundError for a missing folder.
        """
        self.folders = tuple(folders)
        self.chains = dict(chains)
        self.default_dialect = default_dialect
        #: See :func:`.describe.describe`.
        self.terms = dict(terms or {})
        self.root = Branch()
        self.files: list[SpecFile] = []
        self._events: dict[str, SpecFile] = {}
        #: The cache of :func:`.near_miss.similar_operations`.
        self.similar: dict[tuple[str, ...], tuple[Declared, ...]] = {}
        for position, folder in enumerate(self.folders):
            self._add(position, folder)

    def _add(self, position: int, folder: str) -> None:
        root, chains = self.root, self.chains
        for indexed in index_folder(folder, self.default_dialect):
            file = SpecFile(
                self,
                position,
                os.path.join(folder, indexed.file),
                indexed.title,
                indexed.dialect,
                indexed.error,
            )
            self.files.append(file)
            prefix = chains.get(indexed.dialect, ())
            hosts = indexed.hosts
            for path, verbs in indexed.paths:
                branch = root
                for segment in (*prefix, *path.split("/")[1:]):
                    below = branch.children.get(segment)
                    if below is None:
                        below = branch.children[segment] = Branch()
                    branch = below
                for verb, summary in verbs.items():
                    branch.verbs[verb] = Declared(
                        verb, path, summary, file, hosts.get(f"{verb} {path}", "") if hosts else ""
                    )
                if indexed.error is not None:
                    branch.broken = [*(branch.broken or ()), file]
            for name in indexed.events:
                self._events[name] = file

    def find(self, segments: Sequence[str]) -> Branch | None:
        """The branch at exactly these segments; None if there is none."""
        branch: Branch | None = self.root
        for segment in segments:
            branch = branch.children.get(segment) if branch is not None else None
        return branch

    def declared(self) -> list[Declared]:
        """Every declared operation."""
        return list(self.root.walk())

    def operations(self) -> Iterator[Operation]:
        """Every complete operation. Raises SpecError at the first file that cannot be read."""
        for declared in self.root.walk():
            yield declared.operation()

    def event_names(self) -> list[str]:
        """The names of all declared events."""
        return list(self._events)

    def event(self, name: str) -> Event | None:
        """The complete event of that name; None if none is declared. Raises SpecError."""
        file = self._events.get(name)
        if file is None:
            return None
        event = file.product().events.get(name)
        if event is None:
            raise file.changed(f"the event {name}")
        return event

    def preload(self) -> None:
        """Reads every file now. Raises SpecError at the first that cannot be read."""
        for file in self.files:
            file.product()

    def dialect_of(self, segments: Sequence[str]) -> str:
        """The dialect of an undeclared path: the one whose prefix the chain begins with, else that of declared paths
        with the same first segment, else the default.
        """
        best = self.default_dialect
        longest = 0
        for dialect, prefix in self.chains.items():
            if len(prefix) > longest and tuple(segments[: len(prefix)]) == prefix:
                best, longest = dialect, len(prefix)
        branch = self.root.children.get(segments[0]) if segments and not longest else None
        declared = next(branch.walk(), None) if branch is not None else None
        return best if declared is None else declared.file.dialect

    def host_of(self, segments: Sequence[str]) -> str:
        """The host of an undeclared path: that of the declared paths with the longest common prefix, if they
        share one; else empty.
        """
        branch = self.root
        for segment in segments:
            below = branch.children.get(segment)
            if below is None:
                break
            branch = below
        hosts = branch.hosts() if branch is not self.root else frozenset[str]()
        return next(iter(hosts)) if len(hosts) == 1 else ""

    def nearest(self, path: str) -> str:
        """The declared path most similar to ``path``; empty if none is similar."""
        from difflib import get_close_matches

        paths = {declared.path for declared in self.root.walk()}
        close = get_close_matches(path, paths, n=1, cutoff=0.5)
        return close[0] if close else ""


@lru_cache(maxsize=4096)
def kebab(name: str) -> str:
    """The URL segment of a Python name: ``eduPapay`` is ``edu-papay``, ``_name_`` is ``{name}``, ``import_`` is
    ``import``.
    """
    if name == "_empty_":
        return ""
    template = _TEMPLATE_NAME.match(name)
    if template:
        return "{" + template[1] + "}"
    if name.endswith("_") and keyword.iskeyword(name[:-1]):
        name = name[:-1]
    name = name[:1].lower() + name[1:]
    return _CAPITAL.sub(lambda capital: "-" + capital[0].lower(), name)


def spelling(segment: str) -> str:
    """The Python name of a URL segment in documentation; ``["segment"]`` if it has none."""
    if segment == "":
        return "_empty_"
    if segment.startswith("{"):
        return f"_{segment[1:-1]}_"
    name = _AFTER_DASH.sub(lambda letter: letter[1].upper(), segment)
    if keyword.iskeyword(name):
        return name + "_"
    if not name.isidentifier() or kebab(name) != segment:
        # Segments that `kebab` does not restore are reached by their own letters, if that is a Python name.
        name = segment.replace("-", "_")
    return name if name.isidentifier() and not name.startswith("_") else f'["{segment}"]'


def _aliases(segment: str) -> Iterator[str]:
    name = spelling(segment)
    if not name.startswith("["):
        yield name
    snake = segment.replace("-", "_")
    if snake.isidentifier() and not snake.startswith("_"):
        yield snake
        if keyword.iskeyword(snake):
            yield snake + "_"
