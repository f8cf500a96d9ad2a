"""One workspace, as an admin holds it in hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenkit import errors
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.identities import IdentitiesAPI
from tokenkit.rest.settings import SettingsAPI, TokenSettings
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.review import filters, lifecycle, owners

if TYPE_CHECKING:
    from tokenkit.rest.credentials import Credentials
    from tokenkit.sandbox import Sandbox

Clock = Callable[[], pd.Timestamp]

SANDBOX = "sandbox"
"""The name that ``connect`` reads as: start a sandbox in this process."""

_SANDBOX_TOKENS = 1_000


def connect(
    target: object = None,
    *,
    host: str | None = None,
    token: str | None = None,
    workspace_id: int | str | None = None,
    clock: Clock | pd.Timestamp | str | None = None,
    retries: RetryPolicy | None = None,
    tokens: int | None = None,
    seed: int | None = None,
) -> Workspace:
    """Return a workspace to work on. Nothing is asked of it yet, so a wrong credential shows at the first call.

    Args:
        target: One of

            - nothing: the environment, ``~/.databrickscfg``, or the notebook's own sign-in, as the official tools find
            them;
            - a profile's name: ``connect("prod")``;
            - a host: ``connect("https://my.cloud.databricks.com")``, signed in as the official tools would;
            - an official ``WorkspaceClient`` or ``Config``, whose sign-in is shared;
            - ``"sandbox"``: a make-believe workspace, started in this process.
        host: The workspace's address; with ``token``, nothing else is looked at.
        token: A personal access token for ``host``.
        workspace_id: Which workspace is meant, where a host serves several.
        clock: What "now" is for ages and statuses: a function, or one fixed moment. The time of day by default.
        retries: How patient to be; see ``RetryPolicy``.
        tokens: How many tokens the sandbox has, the caller's own included; 1,000 by default.
        seed: Which make-believe company the sandbox is; 0 by default.

    Raises:
        ConfigurationError: No credentials were found, or settings contradict each other.
    """
    now = _clock(clock)
    if target == SANDBOX:
        if host or token:
            raise errors.ConfigurationError(
                'connect("sandbox") starts a workspace of its own; it takes no host or token.'
            )
        return _start_sandbox(now, retries, tokens=_SANDBOX_TOKENS if tokens is None else tokens, seed=seed or 0)
    if tokens is not None or seed is not None:
        raise errors.ConfigurationError('tokens= and seed= shape a sandbox: connect("sandbox", tokens=…, seed=…).')
    return Workspace(_credentials(target, host, token, str(workspace_id or "")), clock=now, retries=retries)


def _credentials(target: object, host: str | None, token: str | None, workspace_id: str) -> Credentials:
    if target is not None and (host or token):
        raise errors.ConfigurationError("Give a profile, or host and token, not both: they might mean two workspaces.")
    if token and not host:
        raise errors.ConfigurationError("A token alone does not say which workspace it is for: give host=… as well.")
    if host:
        return sign_in.from_token(host, token, workspace_id=workspace_id) if token else sign_in.from_host(host)
    if target is None:
        return sign_in.from_environment()
    if isinstance(target, str):
        return sign_in.from_host(target) if "://" in target or "." in target else sign_in.from_profile(target)
    config: Any = getattr(target, "config", target)  # a WorkspaceClient has one, a Config is one
    if callable(getattr(config, "authenticate", None)):
        return sign_in.from_sdk_config(config)
    raise errors.ConfigurationError(
        "connect() takes a profile, a host, a databricks.sdk WorkspaceClient or Config, or 'sandbox'; "
        f"not a {type(target).__name__}."
    )


def _start_sandbox(clock: Clock, retries: RetryPolicy | None, *, tokens: int, seed: int) -> Workspace:
    from tokenkit.sandbox import Sandbox  # noqa: PLC0415 - a web server and a database, for those who ask for them

    sandbox = Sandbox(tokens=tokens, seed=seed, clock=lambda: clock().timestamp())
    sandbox.start()
    # Without the address: the line stands in saved notebooks, where a port would change with each run.
    sys.stderr.write(f"Started a sandbox in this process: {tokens:,} made-up tokens, nothing of it is real.\n")
    credentials = sign_in.from_token(sandbox.host, sandbox.token, origin="the sandbox in this process", name=SANDBOX)
    return Workspace(credentials, clock=clock, retries=retries, sandbox=sandbox)


def _clock(given: Clock | pd.Timestamp | str | None) -> Clock:
    if given is None:
        return lambda: pd.Timestamp.now(tz="UTC")
    if callable(given):
        return given
    moment = pd.Timestamp(given)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return lambda: moment


class Workspace:
    """A workspace and what an admin does with its tokens. ``connect`` makes one.

    Attributes:
        host: Its address.
        name: What it is called in messages: the host, or ``sandbox``.
        token_management: The nine calls of the Token Management API.
        sandbox: The sandbox behind it, where ``connect("sandbox")`` started one; its ``faults`` can be set.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Clock | None = None,
        retries: RetryPolicy | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        transport = Transport(credentials, retries=retries)
        self.host = credentials.host
        self.name = credentials.name
        self.token_management = TokenManagementAPI(transport)
        self.sandbox = sandbox
        self._origin = credentials.origin
        self._identities = IdentitiesAPI(transport)
        self._settings = SettingsAPI(transport)
        self._now = _clock(clock)

    def __repr__(self) -> str:
        return f"<Workspace {self.name}, signed in by {self._origin}>"

    def now(self) -> pd.Timestamp:
        """Return the moment that ages and statuses are counted to."""
        return self._now()

    def users(self) -> pd.DataFrame:
        """Return every user: ``id, user_name, display_name, active, groups``."""
        return self._identities.users()

    def service_principals(self) -> pd.DataFrame:
        """Return every service principal: ``id, application_id, display_name, active, groups``."""
        return self._identities.service_principals()

    def groups(self) -> pd.DataFrame:
        """Return every group: ``id, display_name, members`` (ids of those directly in it)."""
        return self._identities.groups()

    def me(self) -> str:
        """Return the caller's user name, or the application id of a service principal."""
        return str(self._identities.me().get("userName", ""))

    def token_settings(self) -> TokenSettings:
        """Return whether tokens are enabled, and the longest lifetime of a new one."""
        return self._settings.token_settings()

    def tokens(self, where: str | None = None, *, created_by: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return the listing joined with its owners and the columns derived from its times.

        Args:
            where: An expression over the columns, in the language of ``DataFrame.query``:
                ``"idle_days > 60 and owner_kind == 'user'"``. It may read columns and nothing else; see
                ``filters.where``.
            created_by: Only tokens that this user made; the one filter that the server applies.
            criteria: Further filters, which all must hold: the keywords of ``filters.FILTERS``, such as
                ``owner="*@example.com"``, ``idle="90d"``, ``status="active"``, ``never_expires=True``.

        Returns:
            The columns of ``frames.TOKENS``, any field the server added, then the derived ones: ``status``,
            ``never_expires``, ``age_days``, ``lifetime_days``, ``expires_in_days``, ``idle_days``, ``effective_end``,
            ``owner``, ``owner_kind``, ``owner_active``. An empty listing has them all.

        Raises:
            UsageError: An unknown filter or column, or an expression that does more than read columns.
        """
        filters.check(where, criteria)
        listing = self.token_management.list(created_by_username=created_by)
        aged = lifecycle.with_lifecycle(listing, now=self.now())
        joined = owners.with_owners(aged, users=self.users(), service_principals=self.service_principals())
        tokens = filters.matching(joined, **criteria)
        return filters.where(tokens, where) if where else tokens
