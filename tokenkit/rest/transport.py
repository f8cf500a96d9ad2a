"""One request to one workspace: timeouts, retries, errors, and nothing secret in any of them.

**When is a second attempt safe?** The question is not the status but whether the first attempt may have been carried
out.

====================================  ============================  ==============================================
what happened                         may it have been carried out  so
====================================  ============================  ==============================================
429                                   no, it was turned away        every request is retried
the connection could not be made      no, nothing was sent          every request is retried
503, connection dropped, timeout      perhaps                       retried unless the method is POST
====================================  ============================  ==============================================

A POST here mints a token, so a second one after a lost answer could leave a live credential that nobody knows of; it is
reported as ``AnswerLostError`` and left to the caller to look up. GET, PUT, PATCH and DELETE of this API end in the
same state however often they run. A refusal that follows a lost answer says so (``ApiError.after_lost_answer``).

Waits obey ``Retry-After``, else back off exponentially with full jitter, and all attempts together fit one budget of
seconds: a wait that would not fit is not begun, and the last error is raised instead. A host that never answered yet
gets 15 seconds at the most: its name may be misspelt.

requests' own exceptions hold the prepared request and so the credential. They do not leave this module, not even as the
``__context__`` of ours: an error is built inside ``except`` and raised outside it. The module is long because no other
may import requests; what needs none of it is in ``answers`` and ``progress``.
"""

from __future__ import annotations

import copy
import functools
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from tokenkit import errors
from tokenkit.rest import answers, progress
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.hosts import is_loopback
from tokenkit.version import __version__

_LOGGER = logging.getLogger("tokenkit")
_USER_AGENT = f"tokenkit/{__version__}"
_CONNECT_TIMEOUT_SECONDS = 10
_WORTH_A_WORD_SECONDS = 2.0
_STRANGER_SECONDS = 15.0  # a host that was never reached is more likely misspelt than down
_BLOCK_BYTES = 1 << 17
_Answer = TypeVar("_Answer")


class NotJsonError(Exception):
    """What a reader of a body raises when it is not JSON of the expected form, or ends too early."""


class Clock(Protocol):
    """What the retry loop needs of time: seconds that only grow, and a way to let them pass."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds."""
        ...


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How patient a client is.

    Attributes:
        budget_seconds: All attempts and waits of one call together; 0 tries once. The default is the official SDK's.
        first_wait_seconds: The longest first wait where the workspace names none; it doubles with each attempt.
        longest_wait_seconds: Where the doubling stops.
        read_timeout_seconds: The longest silence while an answer is read.
    """

    budget_seconds: float = 300.0
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    read_timeout_seconds: float = 60.0


class _BearerOf(AuthBase):
    """Signs a request at the last moment, so that no frame of ours holds the header in a local variable."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._credentials.headers())
        return request


class _OneHostAdapter(HTTPAdapter):
    """Looks up once what requests works out for each request of a host: whose connections, through which proxy.

    That is a tenth of what a small request costs.
    """

    _pool: Any = None

    def get_connection_with_tls_context(self, *which: Any, **settings: Any) -> Any:  # noqa: ANN401 - requests' own
        pool = self._pool
        if pool is None:
            pool = self._pool = super().get_connection_with_tls_context(*which, **settings)
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ANN401 - requests' own
        return super().request_url(request, proxies) if proxies else request.path_url

    def close(self) -> None:
        self._pool = None
        super().close()


class _Identity:
    """The id of the workspace that responds; a transport and its more or less patient copies share it."""

    def __init__(self, workspace_id: str) -> None:
        self.workspace_id = workspace_id


class Transport:
    """Speaks JSON with one workspace. Threads may share it.

    Args:
        credentials: The host and how to sign for it.
        retries: How patient to be.
        clock: ``monotonic`` and ``sleep``; the ``time`` module by default.
        jitter: A number in [0, 1) for each wait; ``random.random`` by default.
        connections: How many connections are kept open, which is how many threads can be busy at once.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        retries: RetryPolicy | None = None,
        clock: Clock = time,
        jitter: Callable[[], float] = random.random,
        connections: int = 64,
    ) -> None:
        self.host = credentials.host
        self.name = credentials.name
        self._auth = _BearerOf(credentials)
        self._retries = retries or RetryPolicy()
        self._clock = clock
        self._jitter = jitter
        self._reached = False  # whether it ever answered
        self._identity = _Identity(credentials.workspace_id)
        self._headers = CaseInsensitiveDict(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": _USER_AGENT,
            }
        )
        if credentials.workspace_id:
            self._headers["X-Databricks-Workspace-Id"] = credentials.workspace_id
        self._adapter = _OneHostAdapter(pool_maxsize=connections)
        # Proxies and certificates of the environment, read once: requests would read them again for each request.
        environment = requests.Session().merge_environment_settings(self.host, {}, None, None, None)
        self._settings: dict[str, Any] = {name: environment[name] for name in ("proxies", "verify")}
        if isinstance(self._settings["verify"], str) and not Path(self._settings["verify"]).exists():
            raise errors.ConfigurationError(
                f"There are no certificates at {self._settings['verify']}. Mend REQUESTS_CA_BUNDLE."
            )
        if is_loopback(self.host):
            self._settings["proxies"] = {}  # a proxy would look for the sandbox on its own machine, with our credential

    def __repr__(self) -> str:
        return f"<Transport to {self.name}>"

    @property
    def workspace_id(self) -> str:
        """The workspace's id, as it was given or as the first response named it; empty before."""
        return self._identity.workspace_id

    def note_workspace_id(self, workspace_id: str) -> None:
        """Take note of which workspace responds.

        Args:
            workspace_id: As a response names it; what is not an id, such as the 0 of an account, says nothing.

        Raises:
            ConfigurationError: It is not the workspace that was named, or that responded before.
        """
        if not re.fullmatch(r"[1-9][0-9]{0,18}", workspace_id):
            return
        known = self._identity.workspace_id = self._identity.workspace_id or workspace_id
        if known != workspace_id:
            raise errors.ConfigurationError(
                f"{self.name} is workspace {workspace_id}, not {known}. Check the host, ?o= and workspace_id."
            )

    def patient(self, retries: RetryPolicy) -> Transport:
        """Return the same over the same connections, and as patient as that says."""
        other = copy.copy(self)
        other._retries = retries  # noqa: SLF001 - one of us
        return other

    def close(self) -> None:
        """Close the connections that are kept open; a later call opens new ones."""
        self._adapter.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object that the workspace answers.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path after the host, beginning with a slash.
            query: Parameters; those that are None are left out.
            body: Sent as JSON.

        Raises:
            ApiError: The workspace said no, or kept saying "later" until the retry budget was spent.
            ConnectionFailedError: It could not be reached; nothing was carried out.
            AnswerLostError: A POST was sent, or the budget is spent, and no answer tells what became of it.
            MalformedAnswerError: The answer was not a JSON object.
        """
        return self._retried(method, lambda: self._attempt(method, path, query, body))

    def read(
        self, path: str, reader: Callable[[Iterator[bytes]], _Answer], *, query: Mapping[str, object] | None = None
    ) -> _Answer:
        """Return what a reader makes of the body that a GET answers, as it comes, so that it is never held whole.

        A body that breaks off is asked for again, as any GET is; the reader then begins anew. After two seconds a
        progress bar shows the bytes, to a terminal or a notebook.

        Args:
            path: The path after the host, beginning with a slash.
            reader: From blocks of the body, which it reads to the end, to the result. It raises ``NotJsonError`` where
                they cannot be read.
            query: Parameters; those that are None are left out.

        Raises:
            TokenKitError: As ``call``, and whatever else the reader raises.
        """
        return self._retried("GET", lambda: self._attempt("GET", path, query, None, reader))

    def _retried(self, method: str, attempt_once: Callable[[], _Answer | errors.TokenKitError]) -> _Answer:
        """Attempt until there is an answer, an error that will not pass, or no time left."""
        begun, budget_seconds = self._clock.monotonic(), self._retries.budget_seconds
        attempt, lost = 0, False
        while True:
            attempt += 1
            outcome = attempt_once()
            if not isinstance(outcome, errors.TokenKitError):
                return outcome
            error = outcome
            if isinstance(error, errors.ApiError):
                error.after_lost_answer = lost
                may_have_run, passing = error.status >= 500, error.status in answers.PASSING_STATUSES
            else:
                may_have_run = isinstance(error, errors.AnswerLostError)
                passing = may_have_run or isinstance(error, errors.ConnectionFailedError)
            if not passing or (may_have_run and method == "POST"):
                raise error
            lost = lost or may_have_run
            wait_seconds = self._wait_seconds(error, attempt)
            if isinstance(error, errors.ConnectionFailedError) and not self._reached:
                budget_seconds = min(budget_seconds, _STRANGER_SECONDS)
            if self._clock.monotonic() + wait_seconds > begun + budget_seconds:
                raise error
            if wait_seconds >= _WORTH_A_WORD_SECONDS:
                _LOGGER.warning("waiting %.0f s before trying again: %s", wait_seconds, error)
            self._clock.sleep(wait_seconds)

    def _wait_seconds(self, error: errors.TokenKitError, attempt: int) -> float:
        """Return what the workspace asked for, or a jittered exponential wait."""
        asked = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
        if asked is not None:
            return asked
        ceiling: float = min(self._retries.first_wait_seconds * 2 ** (attempt - 1), self._retries.longest_wait_seconds)
        return ceiling * self._jitter()

    def _attempt(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None,
        body: Mapping[str, Any] | None,
        reader: Callable[[Iterator[bytes]], Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what the reader returns, without one the JSON object; or an error
        """Send once; return the answer, or the error it amounts to, free of anything that requests holds."""
        what, begun = f"{method} {path}", self._clock.monotonic()
        try:
            response = self._adapter.send(
                self._signed(method, path, query, body),
                timeout=(_CONNECT_TIMEOUT_SECONDS, self._retries.read_timeout_seconds),
                **self._settings,
            )
            if reader is None or not response.ok or response.is_redirect:
                response.content  # noqa: B018 - reads it, here where a connection that breaks is understood
        except requests.RequestException as failure:
            return _connection_error(failure, what, self.name)
        self._reached = True
        self.note_workspace_id(response.headers.get("X-Databricks-Org-Id", ""))
        if not response.ok or response.is_redirect:
            return answers.refusal(
                response.status_code,
                response.content,
                reason=response.reason,
                retry_after=response.headers.get("Retry-After", ""),
                credential=_credential(response),
                name=self.name,
            )
        if reader is not None:
            return self._consumed(response, reader, what, begun)
        return _cut_short(response, what, self.name) or answers.document(response.content, method, what, self.name)

    def _consumed(
        self, response: requests.Response, reader: Callable[[Iterator[bytes]], Any], what: str, begun: float
    ) -> Any:  # noqa: ANN401 - what the reader returns, or an error
        beginning = bytearray()

        def blocks() -> Iterator[bytes]:
            failure: errors.TokenKitError | None = None
            try:
                for block in response.iter_content(_BLOCK_BYTES):
                    beginning.extend(block[: 100 - len(beginning)])
                    yield block
            except requests.RequestException as error:
                failure = _connection_error(error, what, self.name)
            failure = failure or _cut_short(response, what, self.name)
            if failure is not None:
                raise failure

        def is_long() -> bool:
            return self._clock.monotonic() - begun > _WORTH_A_WORD_SECONDS

        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        try:
            return reader(progress.shown(blocks(), response.raw.tell, total, self.name, due=is_long))
        except errors.AnswerLostError as lost:
            return lost
        except NotJsonError:
            return answers.malformed(bytes(beginning), what, self.name)
        finally:
            response.close()

    def _signed(
        self, method: str, path: str, query: Mapping[str, object] | None, body: Mapping[str, Any] | None
    ) -> requests.PreparedRequest:
        """Return a request ready to leave.

        A session of requests would make the same one, and would follow redirects and keep cookies, which are not wanted
        here: a redirect is a login page, and following one would sign a request to it. Without a session a small
        request costs 40 % less.
        """
        request = requests.PreparedRequest()
        parameters = {name: str(value) for name, value in (query or {}).items() if value is not None}
        request.method = method
        request.url = self._root + path + (f"?{urlencode(parameters)}" if parameters else "")
        request.headers = self._headers.copy()
        request.prepare_body(None, None, body)
        request.prepare_auth(self._auth)
        return request

    @functools.cached_property
    def _root(self) -> str:
        """The host as requests reads it; one that it cannot read is an error of the first call."""
        return str(requests.Request("GET", self.host).prepare().url).rstrip("/")


def _connection_error(failure: requests.RequestException, what: str, name: str) -> errors.TokenKitError:
    """Tell a request that never left from one whose answer was lost."""
    if isinstance(failure, requests.exceptions.SSLError):
        return errors.ConnectionFailedError(
            f"{name} could not be trusted: its TLS certificate was refused. Behind a company proxy, set "
            "REQUESTS_CA_BUNDLE to "
            "the proxy's certificate file."
        )
    if isinstance(failure, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return errors.AnswerLostError(f"{name} broke off its answer to {what}; it may have been carried out.")
    if isinstance(failure, requests.Timeout) and not isinstance(failure, requests.ConnectTimeout):
        return errors.AnswerLostError(
            f"{name} did not answer {what} in time; it may have been carried out. Look before repeating it."
        )
    if isinstance(
        failure,
        requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | requests.exceptions.MissingSchema,
    ):
        return errors.ConfigurationError(
            f"{name!r} is not a host. Write it as https://my-workspace.cloud.databricks.com."
        )
    if _never_connected(failure):
        return errors.ConnectionFailedError(
            f"{name} could not be reached; nothing was sent. Check the host's name, the network and the proxy settings."
        )
    return errors.AnswerLostError(
        f"{name} dropped the connection during {what}; it may have been carried out. Look before repeating it."
    )


def _never_connected(failure: requests.RequestException) -> bool:
    """Whether urllib3 gave up before it had a connection (refused, no route, no such name, a proxy that said no)."""
    reason = failure.args[0] if failure.args else None
    reason = getattr(reason, "reason", reason)
    return type(reason).__name__ in {
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ProxyError",
    }


def _cut_short(response: requests.Response, what: str, name: str) -> errors.AnswerLostError | None:
    """Return an error where fewer bytes came than were promised.

    urllib3 before 2.0, which Databricks Runtime still has, does not notice that a body ended too early.
    """
    declared = response.headers.get("Content-Length", "")
    received = response.raw.tell() if response.raw is not None else 0
    if not declared.isdigit() or received >= int(declared):
        return None
    return errors.AnswerLostError(
        f"{name} cut its answer to {what} short: {received:,} of {int(declared):,} bytes came. Nothing of it was "
        "used; try again."
    )


def _credential(response: requests.Response) -> str:
    """Return what the request was signed with, to keep it out of what is said about the answer."""
    return str(response.request.headers.get("Authorization", "")).rpartition(" ")[2]
