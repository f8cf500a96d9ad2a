"""Reviews: pure functions from frames to frames. They send no requests and take the time as an argument.

The modules are imported on first use, as ``review.audit``: a listing needs few of them.
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
