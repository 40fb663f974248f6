"""The sandbox in which a model's own Jinja chat template runs: a foreign program, kept on a leash.

On top of Jinja's immutable sandbox it allows only the filters and methods that chat templates
use, rewrites the syntax tree so that loops, joins, literals and comparisons pay from a `Budget`,
and makes every operator, call and output pay as well.
"""

# The names of the visitor's methods are Jinja's.
# ruff: noqa: N802, N815

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from inglenook.assistants.template_budget import Budget, LimitExceeded

__all__ = ["ChatEnvironment", "RaisedByTemplate"]

_FILTERS = frozenset(
    "abs attr capitalize count d default dictsort e escape first float format groupby indent int "
    "items join last length list lower map max min reject rejectattr replace reverse round safe "
    "select selectattr sort string title trim truncate unique upper wordcount".split()
)
_STRING_METHODS = frozenset(
    "capitalize casefold count endswith find format format_map index isalnum isalpha isascii "
    "isdecimal isdigit islower isnumeric isspace istitle isupper join lower lstrip partition "
    "removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines "
    "startswith strip swapcase title upper".split()
)
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_SEQUENCE_METHODS = frozenset({"count", "index"})


class RaisedByTemplate(jinja2.TemplateError):
    """The template called `raise_exception`, for instance because it knows no system role."""


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: marks text for training; no effect."""

    tags = {"generation"}  # noqa: RUF012 - the name and form that Jinja asks for

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """An environment for one render, with its own budget. Compile once, render in a new one."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, budget: Budget, now: Callable[[], datetime]) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[loopcontrols, _Generation],
            optimized=False,
            cache_size=0,
            finalize=self._finalize,
        )
        self.budget = budget
        self.macro_size = 0
        self.filters = {
            name: self._guarded(name, cast("Callable[..., Any]", self.filters[name]))
            for name in _FILTERS
        }
        self.filters.update(
            tojson=self._guarded("tojson", _to_json),
            counted=budget.counted,
            guarded=self._measured,
            concatenated=self._concatenated,
        )
        self.tests = {
            name: self._guarded(name, cast("Callable[..., Any]", test))
            for name, test in self.tests.items()
        }
        self.globals.clear()
        self.globals.update(
            range=self._range,
            dict=dict,
            namespace=Namespace,
            raise_exception=_raise_exception,
            strftime_now=_strftime(now),
        )

    # --- compiling --------------------------------------------------------------------------

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        rewritten = _Rewriter().visit(tree)
        assert isinstance(rewritten, nodes.Template)
        self.macro_size = sum(map(_data_size, tree.find_all((nodes.Macro, nodes.CallBlock))))
        return rewritten

    # --- paying -----------------------------------------------------------------------------

    def _finalize(self, value: Any) -> Any:
        if isinstance(value, str):
            self.budget.spend(len(value))
        elif isinstance(value, Namespace):
            raise LimitExceeded("it writes out a namespace")
        elif not isinstance(value, jinja2.Undefined):
            self.budget.spend(self.budget.measure(value))
        return value

    def _measured(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.budget.measure([value])
        return value

    def _concatenated(self, values: tuple[Any, ...]) -> str:
        self.budget.spend(self.budget.measure(values))
        return "".join(map(str, values))

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        self.budget.spend(len(numbers))
        return numbers

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.budget.before_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, method or macro of the template."""
        self.budget.spend(1 + (self.macro_size if isinstance(function, Macro) else 0))
        args = self._pay_arguments(getattr(function, "__name__", ""), function, args, kwargs)
        result = super().call(context, function, *args, **kwargs)
        return self._pay_result(result)

    def _pay_arguments(
        self, name: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        given = [*args, *kwargs.values()]
        for value in [given] if function is dict else given:
            self.budget.measure(value)
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, str):
            return args
        if name == "replace":
            self._pay_replace(owner, args, kwargs)
        elif name == "join" and args:
            items = list(self.budget.counted(args[0]))
            self.budget.before_join(owner, items)
            return (items, *args[1:])
        return args

    def _pay_replace(self, text: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        old, new = (*args, kwargs.get("old"), kwargs.get("new"))[:2]
        if isinstance(old, str) and isinstance(new, str):
            self.budget.before_replace(str(text), old, new)

    def _pay_result(self, result: Any) -> Any:
        if isinstance(result, str | list | tuple | dict):
            self.budget.spend(self.budget.measure(result))
        return result

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter or test that measures what it is given and pays for what it gives."""

        @functools.wraps(function)
        def pay(*args: Any, **kwargs: Any) -> Any:
            plain = [arg for arg in args if not isinstance(arg, _PASSED)]
            self.budget.spend(1)
            self.budget.measure([*plain, *kwargs.values()])
            args = self._pay_filter(name, args, plain, kwargs)
            return self._pay_result(function(*args, **kwargs))

        return pay

    def _pay_filter(
        self, name: str, args: tuple[Any, ...], plain: list[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        if not plain:
            return args
        if name == "replace":
            self._pay_replace(plain[0], tuple(map(str, plain[1:3])), kwargs)
        elif name == "join":
            items = list(self.budget.counted(plain[0]))
            separator = plain[1] if len(plain) > 1 else kwargs.get("d", "")
            self.budget.before_join(str(separator), items)
            return tuple(items if arg is plain[0] else arg for arg in args)
        elif name == "indent":
            width = plain[1] if len(plain) > 1 else kwargs.get("width", 4)
            self.budget.before_indent(str(plain[0]), width)
        elif name == "format":
            self.budget.before_percent(str(plain[0]), [*plain[1:], *kwargs.values()])
        return args

    # --- what may be touched ------------------------------------------------------------------

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, Namespace | LoopContext):
            return True
        if isinstance(obj, str):
            return attr in _STRING_METHODS
        if isinstance(obj, Mapping):
            return attr in _MAPPING_METHODS
        return isinstance(obj, list | tuple) and attr in _SEQUENCE_METHODS

    def unsafe_undefined(self, obj: Any, attribute: str) -> jinja2.Undefined:
        raise SecurityError(f"it may not use {attribute!r} of a {type(obj).__name__}")

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        inner = wrapped

        def pay(*args: Any, **kwargs: Any) -> str:
            self.budget.before_format(str(value.__self__), [*args, *kwargs.values()])
            return inner(*args, **kwargs)

        return pay


_PASSED = (jinja2.Environment, Context, nodes.EvalContext)


class _Rewriter(NodeTransformer):
    """Puts the budget into the syntax tree, where Jinja offers no hook."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise _refused("a recursive loop", node)
        cost = 1 + _data_size(node)
        self.generic_visit(node)
        node.iter = _filter(
            cast("nodes.Expr", node.iter), "counted", nodes.Const(cost, lineno=node.lineno)
        )
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.Tuple(node.nodes, "load", lineno=node.lineno), "concatenated")

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        node.items = [_guard(item) for item in node.items]
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        if node.ctx == "load":
            node.items = [_guard(item) for item in node.items]
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        node.key, node.value = _guard(node.key), _guard(node.value)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _guard(node.expr)
        for operand in node.ops:
            operand.expr = _guard(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            node.arg = _guard(node.arg)
        return node

    def _not_allowed(self, node: nodes.Node) -> nodes.Node:
        raise _refused(f"{{% {type(node).__name__.lower()} %}}", node)

    visit_Include = visit_Import = visit_FromImport = visit_Extends = _not_allowed
    visit_Block = _not_allowed


def _refused(what: str, node: nodes.Node) -> jinja2.TemplateSyntaxError:
    return jinja2.TemplateSyntaxError(f"{what} is not allowed in a chat template", node.lineno)


def _data_size(node: nodes.Node) -> int:
    return sum(len(data.data) for data in node.find_all(nodes.TemplateData))


def _guard(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, "guarded")


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As in Hugging Face's templates: without the HTML escapes of Jinja's own filter."""
    if indent is not None and not 0 <= indent <= 16:
        raise LimitExceeded("the indent of its JSON is too large")
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise RaisedByTemplate(str(message))


def _strftime(now: Callable[[], datetime]) -> Callable[[str], str]:
    def strftime_now(form: str) -> str:
        # glibc takes a field width here, and would fill it.
        if len(form) > 200 or re.search(r"%[^a-zA-Z%]*[0-9]", form):
            raise LimitExceeded("its date format is too long")
        return now().strftime(form)

    return strftime_now
