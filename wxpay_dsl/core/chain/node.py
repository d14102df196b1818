"""The attribute chain: ``api.v3.eduPapay.contracts.presign.post(…)`` names a path and a verb, and calls it.

A :class:`Node` is the first part of a path. It has attributes and can be called, knows the declared operations that it
may stand for, and works on undeclared paths too. Only a call sends a request: ``dir``, ``hasattr``, ``copy`` or a
notebook's ``_repr_html_`` do not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from .tree import Branch, Declared, Tree, kebab, spelling

if TYPE_CHECKING:
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["Caller", "Literal", "Node", "Target", "node_target"]

_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete"})
#: Names by which tools probe what an object supports; they are segments only if a spec declares them.
_PROBES: Final = frozenset({"then", "shape", "dtype", "_fields", "_asdict", "_parse", "_ipython_display_"})


class Literal(str):
    """A segment in brackets, ``node["…"]``: it is percent-encoded, and not converted like a Python name."""

    __slots__ = ()


class Target:
    """What a call stands for: the verb, the segments, and the declared operation if there is one."""

    __slots__ = ("_operation", "below", "bound", "declared", "segments", "verb")

    def __init__(
        self,
        verb: str,
        segments: tuple[str, ...],
        declared: Declared | None,
        bound: Mapping[str, str],
        below: tuple[str, ...] = (),
    ) -> None:
        self.verb = verb
        #: The segments of the chain, with the dialect's prefix.
        self.segments = segments
        self.declared = declared
        #: Path parameters given as literal segments.
        self.bound = bound
        #: If nothing is declared at the end of the chain: the names that could follow.
        self.below = below
        self._operation: Operation | None = None

    @property
    def operation(self) -> Operation | None:
        """The complete declared operation; None for an undeclared path.

        Raises SpecError if its file cannot be read, or no longer declares it.
        """
        operation = self._operation
        if operation is None and self.declared is not None:
            operation = self._operation = self.declared.operation()
        return operation


class Caller(Protocol):
    """What a chain calls: a client."""

    @property
    def tree(self) -> Tree:
        """The declared operations."""

    def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Coroutine[Any, Any, Any]:
        """Sends the request, and returns the response."""


class Node:
    # No docstring: the property `__doc__` below describes each node, for `help(node)`.

    _caller: Caller
    _segments: tuple[str, ...]
    _branches: tuple[Branch, ...]
    #: If the node is named like a verb: the node whose path the verb would be called on.
    _parent: Node | None
    #: The target of calling the node, once it has been resolved.
    _cached_target: Target | None

    def __init__(
        self, caller: Caller, segments: tuple[str, ...] = (), branches: tuple[Branch, ...] | None = None
    ) -> None:
        # Without segments it is the empty path, at which every chain begins.
        if branches is None:
            branches = (caller.tree.root,)
        # Written to the instance's dict, where the children are cached too: a resolved child is then an ordinary
        # attribute, found without calling `__getattr__`.
        self.__dict__.update(_caller=caller, _segments=segments, _branches=branches, _parent=None, _cached_target=None)

    def __getattr__(self, name: str) -> Node:
        probe = name.startswith(("__", "_repr_", "_ipython_")) or name in _PROBES
        if probe and not any(branch.named(name) for branch in self._branches):
            raise AttributeError(f"{name!r} is not a segment of a path")
        child = self._child(name)
        self.__dict__[name] = child
        return child

    def __getitem__(self, segment: str) -> Node:
        """The node of a literal segment; ``{name}`` is a template."""
        if not isinstance(segment, str):
            raise TypeError(f"a segment is text, not {type(segment).__name__}: write node[{str(segment)!r}]")
        if segment.startswith("{") and segment.endswith("}"):
            return self._make(segment, segment)
        exact = tuple(branch.children[segment] for branch in self._branches if segment in branch.children)
        if exact:
            return Node(self._caller, (*self._segments, segment), exact)
        below = tuple(branch.children[template] for branch in self._branches for template in branch.templates())
        return Node(self._caller, (*self._segments, Literal(segment)), below)

    def __call__(self, data: Any = None, /, **fields: Any) -> Coroutine[Any, Any, Any]:
        target = self._cached_target
        if target is None:
            target = self.__dict__["_cached_target"] = self._target()
        return self._caller.call(target, data, fields)

    def _child(self, name: str) -> Node:
        segment = next((found for branch in self._branches if (found := branch.named(name)) is not None), None)
        return self._make(kebab(name) if segment is None else segment, name)

    def _make(self, segment: str, name: str) -> Node:
        branches = tuple(branch.children[segment] for branch in self._branches if segment in branch.children)
        child = Node(self._caller, (*self._segments, segment), branches)
        if name in _VERBS:
            child.__dict__["_parent"] = self
        return child

    def _target(self) -> Target:
        """The target of calling this node: its verb on the path before it, or POST or the only verb of its own path."""
        parent = self._parent
        if parent is not None:
            verb = self._segments[-1]
            declared = parent._declared(verb)  # noqa: SLF001 (the same class)
            if declared or not any(branch.verbs for branch in self._branches):
                return parent._resolve(verb, declared)  # noqa: SLF001
        verbs = _verbs(self._branches) or _verbs(_with_slash(self._branches))
        verb = "post" if "post" in verbs or len(verbs) != 1 else next(iter(verbs))
        return self._resolve(verb, verbs.get(verb), shorthand=True)

    def _declared(self, verb: str) -> Declared | None:
        for branches in (self._branches, _with_slash(self._branches)):
            for branch in branches:
                if verb in branch.verbs:
                    return branch.verbs[verb]
        return None

    def _resolve(self, verb: str, declared: Declared | None, *, shorthand: bool = False) -> Target:
        segments = self._segments
        bound: dict[str, str] = {}
        if declared is None:
            self._refuse_broken()
            # An undeclared path needs an explicit verb and two segments; otherwise it is reported as incomplete.
            if shorthand or len(segments) < 2:
                return Target(verb, segments, None, bound, tuple(dir(self)))
        else:
            template = declared.path.split("/")[1:]
            if template[-1] == "" and segments[-1:] != ("",):
                segments = (*segments, "")
            # The chain has the dialect's prefix and the path does not: align them at their ends.
            for given, segment in zip(segments[len(segments) - len(template) :], template, strict=True):
                if isinstance(given, Literal) and segment.startswith("{"):
                    bound[segment[1:-1]] = str(given)
        return Target(verb, segments, declared, bound)

    def _refuse_broken(self) -> None:
        """Raises SpecError if a file that cannot be read may declare the path, which would be sent unvalidated."""
        branches = [self._caller.tree.root]
        for segment in (*self._segments, ""):
            for branch in branches:
                for file in branch.broken or ():
                    file.refuse()
            branches = [
                branch.children[name]
                for branch in branches
                for name in ([segment, *branch.templates()] if isinstance(segment, Literal) else [segment])
                if name in branch.children
            ]

    def _declared_operations(self) -> list[Declared]:
        """The declared operations that calling this node may stand for."""
        parent = self._parent
        if parent is not None:
            declared = parent._declared(self._segments[-1])  # noqa: SLF001
            if declared:
                return [declared]
        branches = self._branches if any(branch.verbs for branch in self._branches) else _with_slash(self._branches)
        return [declared for branch in branches for declared in branch.verbs.values()]

    def __dir__(self) -> list[str]:
        names = {spelling(segment) for branch in self._branches for segment in branch.children}
        names |= {verb for branch in self._branches for verb in branch.verbs}
        return sorted(name for name in names if not name.startswith("["))

    def __repr__(self) -> str:
        from wxpay_dsl.core.errors import SpecError

        lines = [_dotted(self._segments) or "the chain"]
        for declared in self._declared_operations():
            line = f"{declared.verb.upper()} {declared.path} {declared.summary}".rstrip()
            try:
                docs = declared.operation().docs
            except SpecError as error:
                # A repr must not raise: it shows the error.
                docs = (str(error),)
            lines.append(" ".join([line, *docs[:1]]))
        if len(lines) == 1:
            children = dir(self)
            text = f"{len(children)} below: {', '.join(children[:8])}{' …' if len(children) > 8 else ''}"
            lines.append(text if children else "not declared by any spec")
        return f"<{lines[0]}: {'; '.join(lines[1:])}>"

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # help() shows the text of the instance
        from wxpay_dsl.core.errors import SpecError

        from .describe import describe

        operations = self._declared_operations()
        if not operations:
            return repr(self)
        try:
            terms = self._caller.tree.terms
            return "\n\n".join(describe(declared.operation(), terms) for declared in operations)
        except SpecError as error:
            return str(error)

    # A copy is the node itself: its client must not be copied by accident.
    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a chain belongs to a client and cannot be pickled: pickle its path")

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> NoReturn:
        raise TypeError("a chain is not iterable; `dir(node)` lists what is below it")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a chain has no attributes to set: endpoints are added in YAML")


def node_target(node: Node) -> Target:
    """The target of calling ``node``. Raises SpecError for a spec that cannot be read."""
    return node._target()  # noqa: SLF001 (the same module)


def _with_slash(branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    """The branches of the same paths with a final slash. It can be left out in a chain: ``applyment.post`` is
    ``applyment._empty_.post`` if only that is declared.
    """
    return tuple(branch.children[""] for branch in branches if "" in branch.children)


def _verbs(branches: tuple[Branch, ...]) -> dict[str, Declared]:
    return {verb: found for branch in reversed(branches) for verb, found in branch.verbs.items()}


def _dotted(segments: tuple[str, ...]) -> str:
    chain = ""
    for segment in segments:
        name = f'["{segment}"]' if isinstance(segment, Literal) else spelling(segment)
        chain += name if name.startswith("[") else "." + name
    return chain.removeprefix(".")
