"""Changes: plans that can be previewed, runs that can be stopped and resumed, and a journal of each token's outcome.

The modules are imported on first use, as ``actions.revocation``: what only reads needs none of them, and to import all
takes as long as to read a thousand tokens.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from tokenkit.actions import (
        history,
        journal,
        options,
        permissions,
        plan,
        resumption,
        revocation,
        schedule,
        task,
        update,
    )

__all__ = [
    "history",
    "journal",
    "options",
    "permissions",
    "plan",
    "resumption",
    "revocation",
    "schedule",
    "task",
    "update",
]


def __getattr__(name: str) -> "ModuleType":
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
