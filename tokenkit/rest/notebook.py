"""The identity that Databricks provides to a notebook or a job, without the official SDK.

The SDK asks the same providers. But older versions (0.67 is one) first create the Spark objects of a classic notebook.
On Spark Connect, that can raise an error, and the SDK then finds no identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple


class Identity(NamedTuple):
    """What a provider of the runtime returns: a host, an id or None, and a function that signs requests."""

    host: str
    workspace_id: object
    sign: Callable[[], Mapping[str, str]]


def identity() -> Identity | None:
    """Return the identity of the first provider that has one, in the order of the official SDK, or None."""
    for provider in (_unified, _native, _context):
        try:
            found = provider()
        except (ImportError, AttributeError):  # the runtime does not have this provider
            continue
        if found.host:
            return found
    return None


def _unified() -> Identity:
    host, _, workspace_id, sign = import_module("dbruntime.sdk_credential_provider").init_runtime_native_unified()
    return Identity(host, workspace_id, sign)


def _native() -> Identity:
    host, sign = import_module("dbruntime.sdk_credential_provider").init_runtime_native_auth()
    return Identity(host, None, sign)


def _context() -> Identity:
    get_context = import_module("dbruntime.databricks_repl_context").get_context
    host = get_context().workspaceUrl
    # Each time, because Databricks renews the token.
    return Identity(host and f"https://{host}", None, lambda: {"Authorization": f"Bearer {get_context().apiToken}"})
