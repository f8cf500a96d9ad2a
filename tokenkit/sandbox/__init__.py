"""Simulated Databricks workspaces on this machine: token management, permissions, SCIM and injected faults.

::

    with Sandbox(tokens=1000) as sandbox:
        ...                                # any client, with sandbox.host and sandbox.token

A workspace is an HTTP server on the loopback interface; its state is in SQLite. The layers, from the bottom:
``state/`` (tokens, directory, permissions, settings, secrets), ``handlers/`` (a function for each endpoint),
``serving/`` (the table of endpoints, the request pipeline, the sockets) and ``sandbox.py``, which puts them together.
``seeding/`` fills a new database.

The package imports only the standard library, and nothing else from tokenkit. Its names are imported on first use, so
that a command line that only lists options does not load a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenkit.sandbox.sandbox import Sandbox, SandboxWorkspace
    from tokenkit.sandbox.serving.faults import Fault
    from tokenkit.sandbox.serving.service import RequestRecord
    from tokenkit.sandbox.state.database import DatabaseUnusableError

__all__ = ["DatabaseUnusableError", "Fault", "RequestRecord", "Sandbox", "SandboxWorkspace"]

_MODULES = {
    "DatabaseUnusableError": "state.database",
    "Fault": "serving.faults",
    "RequestRecord": "serving.service",
    "Sandbox": "sandbox",
    "SandboxWorkspace": "sandbox",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
