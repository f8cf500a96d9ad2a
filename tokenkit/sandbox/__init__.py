"""Databricks workspaces on this machine: token management, its permissions, SCIM, and what can go wrong with them.

::

    with Sandbox(tokens=1000) as sandbox:
        ...                                # any client, with sandbox.host and sandbox.token

A workspace is an HTTP server on the loopback interface; SQLite keeps its state. The floors, from the ground: database;
tokens, directory, permissions and settings (the state); the handlers; routes (the table of endpoints); service (what a
request goes through); server (the sockets); workspaces (all of it together). ``faults`` and ``seed`` stand beside.

The package imports nothing else of tokenkit and nothing outside the standard library. Its names are imported when first
used, since a command line that only lists its options should not load a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenkit.sandbox.database import DatabaseUnusableError
    from tokenkit.sandbox.faults import Fault
    from tokenkit.sandbox.service import RequestRecord
    from tokenkit.sandbox.workspaces import Sandbox, SandboxWorkspace

__all__ = ["DatabaseUnusableError", "Fault", "RequestRecord", "Sandbox", "SandboxWorkspace"]

_MODULES = {
    "DatabaseUnusableError": "database",
    "Fault": "faults",
    "RequestRecord": "service",
    "Sandbox": "workspaces",
    "SandboxWorkspace": "workspaces",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
