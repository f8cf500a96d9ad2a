"""Databricks access tokens as DataFrames: list, review and revoke them from notebooks or the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tokenkit.version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tokenkit import errors as errors
    from tokenkit import frames as frames
    from tokenkit import sandbox as sandbox
    from tokenkit.actions.permissions import PermissionPlan
    from tokenkit.actions.resumption import ResumePlan
    from tokenkit.actions.revocation import RevocationPlan, StagedRevocation
    from tokenkit.actions.update import UpdatePlan
    from tokenkit.errors import (
        AccessBlockedError,
        ApiError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        ConnectionFailedError,
        EndpointNotFoundError,
        FeatureDisabledError,
        FleetError,
        InvalidParameterError,
        InvalidResponseError,
        JournalError,
        MissingScopeError,
        NotAnAdminError,
        NotFoundError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitedError,
        ResponseLostError,
        StatementFailedError,
        TokenKitError,
        UnavailableError,
        UsageError,
        WarehouseStoppedError,
    )
    from tokenkit.fleets.connect import fleet, resume
    from tokenkit.fleets.fleet import Fleet
    from tokenkit.fleets.plans import FleetPermissionPlan, FleetResumePlan, FleetRevocationPlan, FleetUpdatePlan
    from tokenkit.frames import TokenInfo
    from tokenkit.output import charts as charts
    from tokenkit.output.snapshots import read_snapshot
    from tokenkit.rest.settings import TokenSettings
    from tokenkit.rest.token_management import OboToken, TokenManagementAPI
    from tokenkit.rest.transport import RetryPolicy
    from tokenkit.review.audit import Audit
    from tokenkit.review.leaks import Leaks
    from tokenkit.review.rule import rule
    from tokenkit.widgets.saved import explore
    from tokenkit.workspaces.changes import changes
    from tokenkit.workspaces.connect import connect
    from tokenkit.workspaces.saved import read_listing
    from tokenkit.workspaces.workspace import Workspace

__all__ = [
    "AccessBlockedError",
    "ApiError",
    "Audit",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "EndpointNotFoundError",
    "FeatureDisabledError",
    "Fleet",
    "FleetError",
    "FleetPermissionPlan",
    "FleetResumePlan",
    "FleetRevocationPlan",
    "FleetUpdatePlan",
    "InvalidParameterError",
    "InvalidResponseError",
    "JournalError",
    "Leaks",
    "MissingScopeError",
    "NotAnAdminError",
    "NotFoundError",
    "OboToken",
    "PermissionDeniedError",
    "PermissionPlan",
    "QuotaExceededError",
    "RateLimitedError",
    "ResponseLostError",
    "ResumePlan",
    "RetryPolicy",
    "RevocationPlan",
    "StagedRevocation",
    "StatementFailedError",
    "TokenInfo",
    "TokenKitError",
    "TokenManagementAPI",
    "TokenSettings",
    "UnavailableError",
    "UpdatePlan",
    "UsageError",
    "WarehouseStoppedError",
    "Workspace",
    "__version__",
    "changes",
    "connect",
    "explore",
    "fleet",
    "load_ipython_extension",
    "read_listing",
    "read_snapshot",
    "resume",
    "rule",
]

# The names are imported on first use: `tokenkit --help` and completion have no time for pandas and requests.
_MODULES = {"charts": "output.charts", "errors": "errors", "frames": "frames", "sandbox": "sandbox"}
_NAMES = {name: "errors" for name in __all__ if name.endswith("Error")} | {
    name: module
    for module, names in {
        "actions.permissions": "PermissionPlan",
        "actions.resumption": "ResumePlan",
        "actions.revocation": "RevocationPlan StagedRevocation",
        "actions.update": "UpdatePlan",
        "fleets.connect": "fleet resume",
        "fleets.fleet": "Fleet",
        "fleets.plans": "FleetPermissionPlan FleetResumePlan FleetRevocationPlan FleetUpdatePlan",
        "frames": "TokenInfo",
        "output.snapshots": "read_snapshot",
        "rest.settings": "TokenSettings",
        "rest.token_management": "OboToken TokenManagementAPI",
        "rest.transport": "RetryPolicy",
        "review.audit": "Audit",
        "review.leaks": "Leaks",
        "review.rule": "rule",
        "widgets.saved": "explore",
        "workspaces.changes": "changes",
        "workspaces.connect": "connect",
        "workspaces.saved": "read_listing",
        "workspaces.workspace": "Workspace",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    if name not in _NAMES:
        raise AttributeError(f"module 'tokenkit' has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%tokens``; IPython calls this on ``%load_ext tokenkit``.

    Args:
        shell: The IPython shell.
    """
    from tokenkit.magic import register  # noqa: PLC0415 - IPython is optional

    register(shell)
