"""Packages whose modules are imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


def on_first_use(package: str) -> Callable[[str], ModuleType]:
    """Return a package's ``__getattr__``, which imports the package's module of a name.

    Args:
        package: The name of the package.
    """

    def module_of(name: str) -> ModuleType:
        module = f"{package}.{name}"
        try:
            return import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name != module:
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return module_of
