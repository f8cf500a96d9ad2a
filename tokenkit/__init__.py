"""Databricks access tokens as DataFrames: list, review and revoke them from Jupyter or a shell, safely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenkit.actions.permissions import PermissionPlan
from tokenkit.actions.resumption import ResumePlan
from tokenkit.actions.revocation import RevocationPlan, StagedRevocation
from tokenkit.actions.update import UpdatePlan
from tokenkit.comparison import changes
from tokenkit.connecting import connect
from tokenkit.errors import (
    AccessBlockedError,
    AnswerLostError,
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
    JournalError,
    MalformedAnswerError,
    MissingScopeError,
    NotAnAdminError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    TokenKitError,
    UnavailableError,
    UsageError,
)
from tokenkit.fleet import Fleet
from tokenkit.fleet_connecting import fleet, resume
from tokenkit.fleet_plans import FleetPermissionPlan, FleetResumePlan, FleetRevocationPlan
from tokenkit.frames import TokenInfo
from tokenkit.rest.settings import TokenSettings
from tokenkit.rest.token_management import OboToken, TokenManagementAPI
from tokenkit.rest.transport import RetryPolicy
from tokenkit.review.audit import Audit
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import rule
from tokenkit.saved import read_listing
from tokenkit.snapshots import read_snapshot
from tokenkit.version import __version__
from tokenkit.workspace import Workspace

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tokenkit.widgets.explorer import explore

__all__ = [
    "AccessBlockedError",
    "AnswerLostError",
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
    "InvalidParameterError",
    "JournalError",
    "Leaks",
    "MalformedAnswerError",
    "MissingScopeError",
    "NotAnAdminError",
    "NotFoundError",
    "OboToken",
    "PermissionDeniedError",
    "PermissionPlan",
    "QuotaExceededError",
    "RateLimitedError",
    "ResumePlan",
    "RetryPolicy",
    "RevocationPlan",
    "StagedRevocation",
    "TokenInfo",
    "TokenKitError",
    "TokenManagementAPI",
    "TokenSettings",
    "UnavailableError",
    "UpdatePlan",
    "UsageError",
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


def __getattr__(name: str) -> object:
    """Load the screens when somebody asks for one: widgets are slow to import, and of no use outside a notebook."""
    if name == "explore":
        from tokenkit.widgets.explorer import explore  # noqa: PLC0415 - as said

        return explore
    raise AttributeError(f"module 'tokenkit' has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%tokens``; IPython calls this on ``%load_ext tokenkit``.

    Args:
        shell: IPython's shell, which knows the magic afterwards.
    """
    from tokenkit.magic import register  # noqa: PLC0415 - IPython is there when this is called, and not needed before

    register(shell)
