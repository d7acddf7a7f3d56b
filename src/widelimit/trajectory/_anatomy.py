"""What a value is made of: the name of what a package defines, the code of functions and classes, the state of objects.

An object's state is what its class would hand to a copy (Python's protocol for copies), so whatever can be copied by
its parts is seen, and nothing else is: an open file or a lock says itself that it has none.
"""

import copyreg
import dataclasses
import dis
import functools
import importlib
import pathlib
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

Parts = list[tuple[str, Any]]
"""The parts of a value, each with the words that lead to it from the value, for messages."""


class Unseen(Exception):
    """Raised for a value whose parts cannot be seen; the text says what it is."""


def reference(value: Any) -> str | None:
    """Module, name and version of what an installed package defines; None for all else, which counts by its parts."""
    value = stripped(value)
    if isinstance(value, types.ModuleType):
        return _versioned(value.__name__, "") if is_installed(value.__name__) else None
    if isinstance(value, np.ufunc):
        homes = [home for home in ("numpy", "scipy.special") if _at(home, value.__name__) is value]
        return _versioned(homes[0], value.__name__) if homes else None
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", None))
    if not isinstance(module, str) or not isinstance(name, str) or not is_installed(module):
        return None
    return _versioned(module, name) if _is_same(stripped(_at(module, name)), value) else None


def stripped(value: Any) -> Any:
    """The function that jax.jit or functools.cache is wrapped around: neither changes its values.

    A copy of such a wrapper has no name and no attribute that leads to the function, but it has its state.
    """
    while isinstance(value, _WRAPPERS):
        state: Any = value.__getstate__()
        value = getattr(value, "__wrapped__", None) or state["fun"]
    return value


def is_installed(module: str) -> bool:
    """Whether a module is of this package, the standard library or an installed package."""
    top = module.partition(".")[0]
    # The first module of a session is the user's, also where a package (a notebook's kernel, say) started it.
    if top == "__main__":
        return False
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
        return True
    there = sys.modules.get(top)
    places = [getattr(there, "__file__", None) or "", *getattr(there, "__path__", ())]
    return any(kind in place for place in places for kind in ("site-packages", "dist-packages"))


def _versioned(module: str, name: str) -> str:
    return f"{module}:{name}@{getattr(sys.modules[module.partition('.')[0]], '__version__', '')}"


def _at(module: str, name: str) -> Any:
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_same(one: Any, other: Any) -> bool:
    """Whether two are one object, or one is a copy of the other: a function with its code, or compiled around one."""
    one, other = stripped(one), stripped(other)
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, types.FunctionType):
        cells = [[cell.cell_contents for cell in f.__closure__ or ()] for f in (one, other)]
        return one.__code__ == other.__code__ and all(map(lambda a, b: a is b, *cells))
    inner = [getattr(value, "__wrapped__", None) for value in (one, other)]
    return inner[0] is not None and _is_same(*inner)


def made_of(value: Any) -> tuple[str, Parts]:
    """A word for the kind of a value, and its parts. Raises `Unseen` where they are hidden."""
    value = stripped(value)
    for kind, look in _KINDS.items():
        if isinstance(value, kind):
            return look(value)
    if type(value) in (tuple, list):
        return type(value).__name__, [(f"[{i}]", item) for i, item in enumerate(value)]
    return _object(value)


def _function(function: types.FunctionType) -> tuple[str, Parts]:
    """Code, defaults, what it closes over; of a user's function the globals that its code loads, and its attributes.

    What an installed package's inner function, a decorator's say, refers to is the package's own machinery.
    """
    parts: Parts = [("", function.__code__), (", its defaults", (function.__defaults__, function.__kwdefaults__))]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            parts.append((f", its {name}", cell.cell_contents))
        except ValueError:  # A variable that has no value yet.
            parts.append((f", its {name}", None))
    home = str(function.__globals__.get("__name__"))
    if is_installed(home):
        parts.append(("", _versioned(home, function.__qualname__)))
    else:
        parts += [(f", its {name}", value) for name, value in _loaded(function.__code__, function.__globals__)]
        parts += _named(vars(function))
    return "function", parts


def _loaded(code: types.CodeType, space: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that code loads and the modules that it imports; of a user's module, what is taken from it."""
    steps = list(dis.get_instructions(code))
    for here, step in enumerate(steps):
        name, value = step.argval, None
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            value = space.get(name)
        elif step.opname == "IMPORT_NAME":
            value = _imported("." * steps[here - 2].argval + name, space.get("__package__"))
        for after in steps[here + 1 :]:
            taken = isinstance(value, types.ModuleType) and not is_installed(value.__name__)
            if not taken or after.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            name, value = f"{name}.{after.argval}", getattr(value, after.argval, None)
        if value is not None:
            yield name, value
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            yield from _loaded(item, space)


def _imported(name: str, package: str | None) -> types.ModuleType:
    try:
        return importlib.import_module(name, package)
    except ImportError as error:
        raise Unseen(f"code that imports {name} ({error})") from error


def _code(code: types.CodeType) -> tuple[str, Parts]:
    """What it does: neither where it stands in its file nor what its local variables are called."""
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    parts = (code.co_code, code.co_exceptiontable, counts, arguments, code.co_names, code.co_consts)
    return "code", [("", part) for part in parts]


def _class(kind: type) -> tuple[str, Parts]:
    """Its name, its bases, and what its body defines: methods, attributes, fields."""
    parts: Parts = [("", kind.__name__), ("", type(kind)), *(("", base) for base in kind.__bases__)]
    return "class", parts + _named(vars(kind))


def _named(own: Mapping[Any, Any]) -> Parts:
    """The entries of the dictionary of a class, an object or a function, by name."""
    return [(f".{name}", (name, own[name])) for name in sorted(own, key=str) if name not in _NOT_SEEN]


def _field(field: dataclasses.Field[Any]) -> tuple[str, Parts]:
    facts = (field.name, field.default, field.default_factory, field.init, field.kw_only, field.metadata)
    return "field", [(f".{field.name}", fact) for fact in facts]


def _module(module: types.ModuleType) -> tuple[str, Parts]:
    """A user's module that is not opened further: the text of its file."""
    try:
        return "module", [("", pathlib.Path(str(module.__file__)).read_bytes())]
    except (OSError, AttributeError):
        raise Unseen(f"the module {module.__name__}, which has no file") from None


def _builtin(function: types.BuiltinFunctionType) -> tuple[str, Parts]:
    return "builtin", [("", function.__name__), ("", function.__self__)]


def _object(value: Any) -> tuple[str, Parts]:
    """Class and state, as a copy would be made of them."""
    kind = type(value)
    try:
        look: Any = copyreg.dispatch_table.get(kind)
        made: Any = look(value) if look else value.__reduce_ex__(4)
    except Exception as error:
        raise Unseen(f"an object of {kind.__module__}.{kind.__qualname__} ({error})") from error
    if isinstance(made, str):
        if isinstance(value, np.ufunc):
            raise Unseen(f"a compiled function ({made})")
        return "named", [("", kind), ("", made)]
    make, args, state, items, pairs = (*made, None, None, None)[:5]
    parts: Parts = [("", kind), ("", make), *(("", part) for part in args or ())]
    for own in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(own, dict):
            # What a cached property keeps is no part of the state: it is there once it was asked for.
            kept = [name for name in own if not isinstance(getattr(kind, str(name), None), functools.cached_property)]
            parts += _named({name: own[name] for name in kept})
        elif own is not None:
            parts.append(("", own))
    return "object", [*parts, ("", list(items or ())), ("", dict(pairs or ()))]


# What Python keeps for itself, words for people, and the line where jax.jit was called.
_NOT_SEEN = {
    *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate_func__"),
    *("__annotations_cache__", "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
    *("__parameters__", "__orig_bases__", "__dataclass_params__", "__name__", "_jit_info"),
}
_WRAPPERS = (type(jax.jit(len)), type(functools.cache(len)))
_KINDS: dict[Any, Any] = {
    types.FunctionType: _function,
    types.CodeType: _code,
    type: _class,
    types.ModuleType: _module,
    types.MethodType: lambda method: ("method", [("", method.__self__), ("", method.__func__)]),
    property: lambda given: ("property", [("", given.fget), ("", given.fset), ("", given.fdel)]),
    (staticmethod, classmethod): lambda given: (type(given).__name__, [("", given.__func__)]),
    functools.cached_property: lambda given: ("cached property", [("", given.func)]),
    dataclasses.Field: _field,
    types.BuiltinFunctionType: _builtin,
    (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType): lambda given: (
        "descriptor",
        [("", given.__name__)],
    ),
}
