"""Generates type stubs for a tree: a class for each node of the chain, TypedDicts for each call, a module per product.

The functions are pure: they take a tree and return ``{file name: text}``. A generated method takes the fields of a call
as keywords, or the body (the query of GET and DELETE) as one mapping and the rest as keywords.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Final

from attrs import define, field, frozen

from wxpay_dsl.core.chain.tree import Branch, Declared, Tree, spelling
from wxpay_dsl.core.specs.model import Event, Operation, Schema

from .typed_dicts import Fields, Types, camel, docstring, literal

__all__ = ["Packaged", "Subscription", "Vocabulary", "generate", "overlay"]

#: The classes of nodes generated so far: ``{segments: (module, class)}``.
Classes = dict[tuple[str, ...], tuple[str, str]]

_HEADER: Final = '''"""{title}

Generated from the specs: change the YAML, not this file.
"""

from typing import Any, Literal, NotRequired, TypedDict, Unpack, overload

from wxpay_dsl.core.typing.markers import CallOptions, FileSource, Node, Response, TypedNode
'''


def _event_type(event: Event) -> str:
    """``TRANSACTION.SUCCESS`` as ``TransactionSuccess``."""
    return camel(event.name.title())


def _carried(event: Event) -> Schema | None:
    return event.resource or event.body


@frozen
class Subscription:
    """How programs subscribe to events: templates for the methods of a class ``Events``, typed by the event's data."""

    imports: tuple[str, ...]
    #: The method for one declared event, with the placeholders ``{name}`` (a literal) and ``{type}``.
    declared: str
    #: The method for other events.
    other: str


@frozen
class Vocabulary:
    """What the stubs need to know about the API beyond its specs."""

    #: Whether the client fills in a field of an operation, so that callers may omit it.
    auto_fields: Callable[[Operation, str], bool]
    #: The names of roles in the specs, and in docstrings.
    roles: Mapping[str, str]
    #: The schema of a response's data, which a dialect may convert from the spec's ``returns``.
    returns: Callable[[Operation], Schema | None] = attrgetter("returns")
    #: The schema of an event's data.
    carries: Callable[[Event], Schema | None] = _carried
    subscription: Subscription | None = None


@frozen
class Packaged:
    """The stubs of a whole tree: ``{file name: text}``, and the classes of its nodes."""

    files: Mapping[str, str] = field(repr=False)
    classes: Classes = field(repr=False)


def generate(tree: Tree, vocabulary: Vocabulary) -> Packaged:
    """The stubs of a whole tree, whose root is the class ``Chain``. Raises SpecError for a spec that cannot be read."""
    files: dict[str, str] = {}
    classes: Classes = {}
    dialects: list[tuple[str, str]] = []
    for dialect, branch in tree.root.children.items():
        module = _module_name(dialect)
        for product, below in branch.children.items():
            name = f"{module}_{_module_name(product)}"
            writer = _Module(vocabulary, name, classes)
            writer.node(below, (dialect, product))
            files[f"{name}.pyi"] = writer.text(_title(below))
        writer = _Module(vocabulary, module, classes)
        writer.node(branch, (dialect,))
        files[f"{module}.pyi"] = writer.text(dialect)
        dialects.append((dialect, module))
    files["events.pyi"] = _events(tree, vocabulary)
    files["__init__.pyi"] = "\n".join(
        [
            _HEADER.format(title="The types of the chain.").partition("\n\nfrom")[0],
            "",
            *(f"from .{module} import {classes[(dialect,)][1]} as _{module}" for dialect, module in dialects),
            "",
            "class Chain:",
            *(f"    {spelling(dialect)}: _{module}" for dialect, module in dialects),
            "",
        ]
    )
    return Packaged(files, classes)


def _events(tree: Tree, vocabulary: Vocabulary) -> str:
    """The module of events that the service sends."""
    module = _Module(vocabulary, "events", {})
    subscription = vocabulary.subscription
    methods: list[str] = []
    aliases: list[tuple[str, str]] = []
    for name in tree.event_names():
        event = tree.event(name)
        carried = "Any" if event is None else module.event(event)
        if subscription is not None:
            methods += ["    @overload", f"    {subscription.declared.format(name=literal(name), type=carried)}"]
        if event is not None:
            aliases.append((_event_type(event), carried))
    # Events with the same data share a class, so each gets an alias of its own name.
    module.types.lines.extend(
        f"{alias} = {carried}" for alias, carried in aliases if alias != carried and module.types.name(alias) == alias
    )
    if subscription is not None:
        module.nodes += ["class Events:", *methods, "    @overload", f"    {subscription.other}"]
    return module.text("The events that the service sends.", subscription.imports if subscription is not None else ())


def overlay(tree: Tree, vocabulary: Vocabulary, packaged: Packaged, package: str) -> str:
    """One module whose ``Chain`` extends the stubs in ``package`` by the operations of later folders.

    Raises SpecError for a spec that cannot be read.
    """
    writer = _Module(vocabulary, "", dict(packaged.classes), package)
    members = []
    for dialect, branch in tree.root.children.items():
        if _added(branch):
            members.append(f"    {spelling(dialect)}: {writer.node(branch, (dialect,))}{_OVERRIDES}")
    chain = ["class Chain(_Chain):", *(members or ["    pass"])]
    imports = [f"from {package} import Chain as _Chain"]
    text = writer.text("The types of the chain, with additional specs.", imports)
    return "\n".join([_OVERRIDING, text, *chain, ""])


_OVERRIDING: Final = '# mypy: disable-error-code="override, misc"'
#: A later folder may override an operation of an earlier one, which a type checker reports as another signature.
_OVERRIDES: Final = "  # pyright: ignore[reportIncompatibleVariableOverride]"


@define
class _Module:
    """Writes one module: first TypedDicts, then the nodes that use them."""

    vocabulary: Vocabulary
    name: str
    #: The classes of all nodes so far; an overlay starts with those of ``package``.
    classes: Classes
    #: The package that an overlay extends; empty for the package itself.
    package: str = ""
    types: Types = field(factory=Types)
    nodes: list[str] = field(factory=list)
    imports: dict[str, None] = field(factory=dict)

    def text(self, title: str, imports: Iterable[str] = ()) -> str:
        """The module's source."""
        header = _HEADER.format(title=title.replace('"', "'").replace("\\", "/"))
        return "\n".join([header, *imports, *self.imports, "", *self.types.lines, "", *self.nodes, ""])

    def event(self, event: Event) -> str:
        """The annotation of an event's data. TypedDicts that it needs are added."""
        schema = self.vocabulary.carries(event)
        return "Any" if schema is None else self.types.annotation(schema, _event_type(event), request=False)

    def node(self, branch: Branch, segments: tuple[str, ...]) -> str:
        """The name of a branch's class, which is written with all classes below it unless it exists already."""
        existing = self.classes.get(segments)
        if existing is not None and not (self.package and _added(branch)):
            return self._imported(existing)
        base = self._imported(existing) if existing is not None else "TypedNode"
        members = self._children(branch, segments, new_only=existing is not None)
        prefix = "".join(map(camel, segments[2:]))
        for verb, declared in branch.verbs.items():
            if existing is None or declared.file.root > 0:
                members += self._verb(verb, declared, prefix)
        shorthand = _shorthand(branch.verbs)
        if shorthand is not None and (existing is None or shorthand.file.root > 0):
            members.append(f"    __call__ = {shorthand.verb}")
        name = self.types.name(("".join(map(camel, segments[-1:])) if len(segments) <= 2 else prefix) + "Node")
        self.nodes += [f"class {name}({base}):", *(members or ["    pass"]), ""]
        self.classes[segments] = self.name, name
        return name

    def _imported(self, existing: tuple[str, str]) -> str:
        module, name = existing
        if module == self.name:
            return name
        self.imports[f"from {self.package}.{module} import {name} as _{module}_{name}"] = None
        return f"_{module}_{name}"

    def _children(self, branch: Branch, segments: tuple[str, ...], *, new_only: bool) -> list[str]:
        members: list[str] = []
        unspellable: list[str] = []
        for segment, below in branch.children.items():
            if new_only and not _added(below):
                continue
            child = self.node(below, (*segments, segment))
            attribute = spelling(segment)
            if attribute.startswith("["):
                unspellable.append("    @overload")
                overload = f"    def __getitem__(self, segment: Literal[{literal(segment)}], /) -> {child}: ..."
                unspellable.append(overload)
            elif attribute not in branch.verbs:
                members.append(f"    {attribute}: {child}{_OVERRIDES if new_only else ''}")
        if unspellable:
            unspellable += ["    @overload", "    def __getitem__(self, segment: str, /) -> Node: ..."]
        return members + unspellable

    def _verb(self, verb: str, declared: Declared, prefix: str) -> list[str]:
        operation = declared.operation()
        prefix += camel(verb)
        response = self._response(operation, prefix)
        doc = self._docstring(operation)
        return [
            line
            for parameters, overloaded in self._signatures(operation, prefix)
            for line in (
                *(("    @overload",) if overloaded else ()),
                f"    async def {verb}(self, {parameters}) -> Response[{response}]:",
                f"        {doc}",
            )
        ]

    def _signatures(self, operation: Operation, prefix: str) -> list[tuple[str, bool]]:
        """``(parameters, is overloaded)`` of each way to call an operation."""
        main = next((word for word in ("body", "form") if operation.section(word) is not None), None)
        if main is None and operation.query is not None and operation.verb in ("get", "delete"):
            main = "query"
        rest: dict[str, tuple[str, bool, str]] = {}
        for word in ("path", "query", "header"):
            schema = operation.section(word)
            if schema is not None and word != main:
                rest |= self._fields(operation, schema, prefix, header=word == "header", keywords=True)
        options = self.types.typed_dict(prefix + "Rest", rest, bases=("CallOptions",))
        schema = operation.section(main) if main is not None else None
        if schema is None:
            return [(f"**fields: Unpack[{options}]", False)]
        if schema.type != "object" or not schema.properties:
            data = self.types.annotation(schema, prefix + "Data", request=True)
            return [(f"data: {data} | None = None, /, **rest: Unpack[{options}]", False)]
        fields = self._fields(operation, schema, prefix)
        data = self.types.typed_dict(prefix, fields, operation.summary)
        if self.types.is_class(data):
            both = self.types.typed_dict(prefix + "Fields", {}, bases=(data, options))
        else:
            keywords = self._fields(operation, schema, prefix, keywords=True)
            both = self.types.typed_dict(prefix + "Fields", keywords, bases=(options,))
        needed = any(required for _, required, _ in fields.values())
        positional = f"data: {data}" if needed else f"data: {data} | None = None"
        return [(f"{positional}, /, **rest: Unpack[{options}]", True), (f"**fields: Unpack[{both}]", True)]

    def _fields(
        self, operation: Operation, schema: Schema, prefix: str, *, header: bool = False, keywords: bool = False
    ) -> Fields:
        def spell(name: str) -> str:
            if header:
                name = name.lower().replace("-", "_")
            return name + "_" if keywords and keyword.iskeyword(name) else name

        def auto_fields(name: str) -> bool:
            return self.vocabulary.auto_fields(operation, name)

        return self.types.fields(schema, prefix, request=True, auto_fields=auto_fields, spell=spell)

    def _response(self, operation: Operation, prefix: str) -> str:
        if operation.produces not in ("", "application/json"):
            return "bytes"
        returns = self.vocabulary.returns(operation)
        if returns is None:
            return "None" if operation.status == 204 else "Any"
        return self.types.annotation(returns, prefix + "Response", request=False)

    def _docstring(self, operation: Operation) -> str:
        parts = [operation.summary or operation.name, f"`{operation.name}`"]
        if operation.roles:
            parts.append(", ".join(self.vocabulary.roles.get(role, role) for role in operation.roles))
        return docstring(" · ".join([*parts, *operation.docs[:1]]))


def _added(branch: Branch) -> bool:
    """Whether any operation below comes from another folder than the first."""
    return any(declared.file.root > 0 for declared in branch.walk())


def _shorthand(verbs: Mapping[str, Declared]) -> Declared | None:
    """The operation that calling the node itself means: POST, or its only verb."""
    if "post" in verbs:
        return verbs["post"]
    return next(iter(verbs.values())) if len(verbs) == 1 else None


def _title(branch: Branch) -> str:
    titles = dict.fromkeys(declared.file.title for declared in branch.walk() if declared.file.title)
    return ", ".join(list(titles)[:6]) or "Endpoints"


def _module_name(segment: str) -> str:
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in segment) or "empty"
    return name + "_" if keyword.iskeyword(name) else name
