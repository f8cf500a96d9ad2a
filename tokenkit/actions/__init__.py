"""Changes: plans that can be previewed, runs that can be stopped and resumed, and a journal of each token's outcome.

The modules are imported on first use, as ``actions.revocation``: what only reads needs none of them, and to import all
takes as long as to read a thousand tokens.
"""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    module = f"{__name__}.{name}"
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name != module:
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
