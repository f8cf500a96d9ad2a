"""Sends requests to one workspace: timeouts, retries and errors, without credentials in any of them.

**When is a retry safe?** A retry is safe if the first attempt cannot have taken effect, or if repeating it is harmless.

====================================  ============================  ==============================================
event                                 can it have taken effect?     consequence
====================================  ============================  ==============================================
429, or 5xx that names a limit        no                            every request is retried
400, the workspace is being set up    no                            every request is retried
the connection failed                 no, nothing was sent          every request is retried
502, 503, 504, dropped, timeout       possibly                      retried unless the method is POST
====================================  ============================  ==============================================

A POST creates a token here, so a retry after a lost response could create a second token whose value is lost. The loss
is reported as ``ResponseLostError``, and the caller looks up the result. GET, PUT, PATCH and DELETE of this API are
idempotent. An error that follows a lost response is marked (``ApiError.after_lost_response``).

Waits follow ``Retry-After``, or else an exponential backoff with full jitter. All attempts share one budget of seconds:
if a wait would exceed the budget, the last error is raised instead. A host that has never responded gets at most 15
seconds, because its name may be misspelled.

**How large can a response be?** A small one has limits in bytes and in seconds. The length of a listing is unknown in
advance, so its limits are a minimum rate (``pace``) and a very high number of bytes. Decompressed data is limited in
proportion to the received bytes.

The exceptions of requests contain the prepared request and therefore the credential; so do the frames of requests and
urllib3. They do not leave this module: errors are built inside ``except`` and raised outside it, and ``without_frames``
handles all other exceptions, such as an interrupt. The module is long because only it imports requests. Code that does
not need requests is in ``pace``, ``responses`` and ``progress``.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import random
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from tokenkit import errors
from tokenkit.core import arguments
from tokenkit.rest import progress, responses
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.decompression import gunzipped
from tokenkit.rest.hosts import WORKSPACE_ID, is_loopback
from tokenkit.rest.pace import THIS_THREAD, EndlessError, ListingPace, MonotonicClock, Pace, paced
from tokenkit.rest.tracebacks import without_frames
from tokenkit.version import __version__

_LOGGER = logging.getLogger("tokenkit")
_USER_AGENT = f"tokenkit/{__version__}"
_CONNECT_TIMEOUT_SECONDS = 10
_FIRST_CONNECT_TIMEOUT_SECONDS = 5
_CONNECTIONS = 64  # kept open
_LOG_WAIT_AFTER_SECONDS = 2.0
_FIRST_CONTACT_BUDGET_SECONDS = 1.5  # a host that was never reached is misspelled or down; a restart takes a second
_BLOCK_BYTES = 1 << 16
_MAX_BYTES = 1 << 24
_LONGEST_SECONDS = 1_000_000
_MAX_PAGE_BYTES = 1 << 30  # a group with 2M members has 240 MB
_MAX_LISTING_BYTES = 1 << 33  # 1M tokens with 50 additional fields have 2 GiB
_MAX_ERROR_BYTES = 1 << 20
_UNCHECKED_DECOMPRESSED_BYTES = 1 << 24
_MAX_COMPRESSION_RATIO = 200  # a listing of tokens that differ only in their ids has 70
_NOT_ENCODED, _GZIP = ("", "identity"), ("gzip", "x-gzip")
_Result = TypeVar("_Result")
_Reader = Callable[[Iterator[bytes], str], _Result | errors.TokenKitError]


def _log_long(wait_seconds: float, error: errors.TokenKitError) -> None:
    if wait_seconds >= _LOG_WAIT_AFTER_SECONDS:
        _LOGGER.warning("waiting %.0f s before a retry: %s", wait_seconds, error.happened)


ON_WAIT: ContextVar[Callable[[float, errors.TokenKitError], None]] = ContextVar("on_wait", default=_log_long)
"""Called before each wait for a retry with its seconds and the error. By default, a long wait is logged."""


class NotJsonError(Exception):
    """Raised by a reader if the body is not JSON of the expected form, or is truncated."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long and how often a client retries.

    Attributes:
        budget_seconds: The time limit for all attempts and waits of one call; 0 means one attempt. The default is that
            of the official SDK.
        first_wait_seconds: The maximum first wait if the response requests none. It doubles with each attempt.
        longest_wait_seconds: The upper limit of the doubled wait.
        read_timeout_seconds: The maximum time without data while a response is read.
    """

    budget_seconds: float = 300.0
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    read_timeout_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, given in vars(self).items():
            arguments.seconds(name, given, least=0, most=_LONGEST_SECONDS)
        if not self.read_timeout_seconds:
            raise errors.UsageError("read_timeout_seconds must not be 0: no response would be read.")


@dataclass(frozen=True)
class _Request:
    """A request; ``str()`` gives its method and path."""

    method: str
    path: str
    is_listing: bool
    max_bytes: int
    query: Mapping[str, object] | None = None
    body: Mapping[str, Any] | None = None
    is_shown: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _OneHostAdapter(HTTPAdapter):
    """Caches the connection pool and proxy that requests determines for each request to a host.

    This saves a tenth of the cost of a small request.
    """

    _pool: Any = None

    def get_connection_with_tls_context(self, *which: Any, **settings: Any) -> Any:  # noqa: ANN401 - as in requests
        pool = self._pool
        if pool is None:
            pool = self._pool = self._with_pace(super().get_connection_with_tls_context(*which, **settings))
        return pool

    def get_connection(self, *which: Any, **settings: Any) -> Any:  # noqa: ANN401 - requests 2.31 calls this
        return self._with_pace(super().get_connection(*which, **settings))

    def _with_pace(self, pool: Any) -> Any:  # noqa: ANN401 - of urllib3
        pool.ConnectionCls = paced(type(pool).ConnectionCls)
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ANN401, ARG002 - requests' own
        return request.path_url  # also behind a proxy, as only hosts on this machine have no TLS

    def close(self) -> None:
        self._pool = None
        super().close()


class _Identity:
    """The id of the workspace that responds; copies of a transport with other retries share it."""

    def __init__(self, workspace_id: str) -> None:
        self.workspace_id = workspace_id


_ADAPTERS: weakref.WeakSet[_OneHostAdapter] = weakref.WeakSet()
_PARENT_POOLS: list[object] = []


def _replace_pools_after_fork() -> None:
    """Give every adapter new connections; processes that share a socket would read each other's responses.

    The parent's connections are not closed: closing could wait for a lock that another thread held at the fork.
    """
    for adapter in list(_ADAPTERS):
        _PARENT_POOLS.append((adapter._pool, adapter.poolmanager, adapter.proxy_manager))  # noqa: SLF001 - same module
        adapter._pool = None  # noqa: SLF001 - same module
        adapter.__setstate__(adapter.__getstate__())  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_pools_after_fork)


class Transport:
    """A client for the JSON API of one workspace. It is thread-safe.

    Args:
        credentials: The host and its credentials.
        retries: How long and how often to retry.
        clock: ``monotonic`` and ``sleep``; the ``time`` module by default.
        jitter: Returns a number in [0, 1) for each wait; ``random.random`` by default.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        retries: RetryPolicy | None = None,
        clock: MonotonicClock = time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.host = credentials.host
        self.name = credentials.name
        self._renewal = credentials.renewal
        self._credentials = credentials
        self._retries = arguments.optional("retries", retries, RetryPolicy) or RetryPolicy()
        self._clock = clock
        self._jitter = jitter
        self._reached = False  # whether the host ever responded
        self._identity = _Identity(credentials.workspace_id)
        self._headers = CaseInsensitiveDict(
            {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _USER_AGENT}
        )
        if credentials.workspace_id:
            self._headers["X-Databricks-Workspace-Id"] = credentials.workspace_id
        self._adapter = _OneHostAdapter(pool_maxsize=_CONNECTIONS)
        _ADAPTERS.add(self._adapter)
        # Proxies and certificates of the environment are read once; requests would read them for each request.
        environment = requests.Session().merge_environment_settings(self.host, {}, None, None, None)
        self._settings: dict[str, Any] = {name: environment[name] for name in ("proxies", "verify")}
        if isinstance(self._settings["verify"], str) and not Path(self._settings["verify"]).exists():
            raise errors.ConfigurationError(
                f"CA bundle not found: {self._settings['verify']}. Check REQUESTS_CA_BUNDLE."
            )
        if is_loopback(self.host):
            self._settings["proxies"] = {}  # a proxy would send the credential to its own machine

    def __repr__(self) -> str:
        return f"<Transport to {self.name}>"

    @property
    def workspace_id(self) -> str:
        """The workspace's id, as given or as the first response named it; empty until then."""
        return self._identity.workspace_id

    def note_workspace_id(self, workspace_id: str) -> None:
        """Record which workspace responds.

        Args:
            workspace_id: The id in a response. A value that is not an id, such as the 0 of an account, is ignored.

        Raises:
            ConfigurationError: The id differs from the one that was given, or that responded before.
        """
        if not WORKSPACE_ID.fullmatch(workspace_id):
            return
        known = self._identity.workspace_id = self._identity.workspace_id or workspace_id
        if known != workspace_id:
            raise errors.ConfigurationError(
                f"{self.name} is workspace {workspace_id}, not {known}. Check the host, ?o= and workspace_id."
            )

    def with_retries(self, retries: RetryPolicy) -> Transport:
        """Return a transport with other retries over the same connections."""
        other = copy.copy(self)
        other._retries = retries  # noqa: SLF001 - same module
        return other

    def close(self) -> None:
        """Close open connections; a later call opens new ones."""
        self._adapter.close()

    @without_frames()
    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        is_listing: bool = False,
    ) -> dict[str, Any]:
        """Return the JSON object of the response.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path after the host, beginning with a slash.
            query: Parameters; None values are omitted.
            body: The object to send as JSON.
            is_listing: Whether the response can be long. It is then limited by a minimum rate instead of a deadline.

        Raises:
            ApiError: The workspace returned an error, after all retries that the budget allows.
            ConnectionFailedError: The workspace could not be reached; no request was sent.
            ResponseLostError: The request was sent, but its response was lost, for a POST or for all attempts that the
                budget allows.
            InvalidResponseError: The response is not a JSON object, or is too long.
        """

        def decode(blocks: Iterator[bytes], credential: str) -> dict[str, Any] | errors.InvalidResponseError:
            return responses.document(b"".join(blocks), method, f"{method} {path}", self.name, credential)

        max_bytes = _MAX_PAGE_BYTES if is_listing else _MAX_BYTES
        return self._call_with_retries(_Request(method, path, is_listing, max_bytes, query, body), decode)

    @without_frames()
    def read(
        self, path: str, reader: Callable[[Iterator[bytes]], _Result], *, query: Mapping[str, object] | None = None
    ) -> _Result:
        """Stream the body of a GET response to a reader, and return the reader's result.

        If the body breaks off, the request is retried and the reader starts over. After two seconds a terminal or a
        notebook shows a progress bar.

        Args:
            path: The path after the host, beginning with a slash.
            reader: Reads the blocks of the body to the end and returns a result. It raises ``NotJsonError`` if it
                cannot read them.
            query: Parameters; None values are omitted.

        Raises:
            TokenKitError: As for ``call``, and any error that the reader raises.
        """
        request = _Request("GET", path, is_listing=True, max_bytes=_MAX_LISTING_BYTES, query=query, is_shown=True)
        return self._call_with_retries(request, lambda blocks, _: reader(blocks))

    @without_frames()
    def download(self, link: str) -> bytes:
        """Return the content of a link that the workspace gave: a part of a result in the cloud's storage.

        The link is itself a credential, so no error contains it. The workspace's credential is not sent to it, no
        redirect is followed, and it must be HTTPS unless the workspace runs on this machine.

        Args:
            link: The pre-signed address.

        Raises:
            InvalidResponseError: The link is not HTTPS, or the content is too long.
            ConnectionFailedError: The storage could not be reached.
            ResponseLostError: The storage did not deliver the content.
        """
        if not link.startswith("https://") and not is_loopback(self.host):
            raise errors.InvalidResponseError(f"{self.name} gave a link to a result that is not HTTPS.")
        content = self._downloaded(link)
        if isinstance(content, errors.TokenKitError):
            raise content
        return content

    def _downloaded(self, link: str) -> bytes | errors.TokenKitError:
        request = _Request("GET", "a part of a result", is_listing=True, max_bytes=_MAX_PAGE_BYTES)
        adapter = _OneHostAdapter()  # of its own: the storage is another host
        silence_seconds = self._retries.read_timeout_seconds
        THIS_THREAD.pace = pace = ListingPace(self._clock, silence_seconds)
        try:
            prepared = requests.Request("GET", link, headers={"User-Agent": _USER_AGENT}).prepare()
            timeout = (_CONNECT_TIMEOUT_SECONDS, silence_seconds)
            response = adapter.send(prepared, timeout=timeout, stream=True, **self._settings)
            if response.status_code != 200:
                return errors.ResponseLostError(
                    f"The storage of the result responded with {response.status_code}. Links expire after 15 minutes. "
                    "Run the query again."
                )
            content = bytearray()
            for block in self._blocks(response, request):
                pace.note_growth()
                content += block
            return bytes(content)
        except errors.TokenKitError as error:
            return error
        except Exception as error:  # noqa: BLE001 - its text contains the link
            return _connection_error(error, str(request), "The storage of the result")
        finally:
            adapter.close()

    def _call_with_retries(self, request: _Request, reader: _Reader[_Result]) -> _Result:
        """Repeat the request until it succeeds, fails permanently, or exhausts the budget."""
        begun, budget_seconds = self._clock.monotonic(), self._retries.budget_seconds
        attempt, lost = 0, False
        while True:
            attempt += 1
            outcome = self._attempt(request, reader, until=begun + budget_seconds)
            if not isinstance(outcome, errors.TokenKitError):
                return outcome
            error = outcome
            if isinstance(error, errors.ApiError):
                error.after_lost_response = lost
                is_transient = responses.is_transient(error)
                may_have_run = error.status >= 500 and not isinstance(error, errors.RateLimitedError)
            else:
                may_have_run = isinstance(error, errors.ResponseLostError)
                is_transient = may_have_run or isinstance(error, errors.ConnectionFailedError)
            if not is_transient or (may_have_run and request.method == "POST"):
                raise error
            lost = lost or may_have_run
            wait_seconds = self._wait_seconds(error, attempt)
            if isinstance(error, errors.ConnectionFailedError) and not self._reached:
                budget_seconds = min(budget_seconds, _FIRST_CONTACT_BUDGET_SECONDS)
            if self._clock.monotonic() + wait_seconds > begun + budget_seconds:
                raise error
            ON_WAIT.get()(wait_seconds, error)
            self._clock.sleep(wait_seconds)

    def _wait_seconds(self, error: errors.TokenKitError, attempt: int) -> float:
        """Return the wait that the response requests, or an exponential wait with jitter."""
        requested = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
        if requested is not None:
            return requested
        ceiling: float = min(self._retries.first_wait_seconds * 2 ** (attempt - 1), self._retries.longest_wait_seconds)
        return ceiling * self._jitter()

    def _attempt(self, request: _Request, reader: _Reader[_Result], *, until: float) -> _Result | errors.TokenKitError:
        """Send the request once; return its result, or an error without any object of requests."""
        begun, silence_seconds = self._clock.monotonic(), self._retries.read_timeout_seconds
        pace = THIS_THREAD.pace = (
            ListingPace(self._clock, silence_seconds)
            if request.is_listing
            else Pace(self._clock, silence_seconds, max(until, begun + silence_seconds))
        )
        try:
            signed = self._signed(request)
        except (requests.RequestException, ValueError) as failure:
            return _connection_error(failure, str(request), self.name)
        try:
            connecting = _CONNECT_TIMEOUT_SECONDS if self._reached else _FIRST_CONNECT_TIMEOUT_SECONDS
            response = self._adapter.send(signed, timeout=(connecting, silence_seconds), **self._settings)
        except Exception as failure:  # noqa: BLE001 - hostile responses raise errors that urllib3 does not wrap
            return _connection_error(failure, str(request), self.name)
        self._reached = True
        self.note_workspace_id(response.headers.get("X-Databricks-Org-Id", ""))
        credential = str(signed.headers.get("Authorization", "")).rpartition(" ")[2]
        try:
            if not 200 <= response.status_code < 300:
                return self._error_of(response, request, credential, pace)
            return self._read_body(response, request, reader, credential, pace)
        finally:
            response.close()

    def _error_of(
        self, response: requests.Response, request: _Request, credential: str, pace: Pace
    ) -> errors.TokenKitError:
        content = bytearray()
        try:
            for block in _content(response):
                pace.note_growth()
                content += block
                if len(content) > _MAX_ERROR_BYTES:
                    break
        except Exception as failure:  # noqa: BLE001 - as for the headers
            return _connection_error(failure, str(request), self.name)
        return responses.api_error(
            response.status_code,
            bytes(content),
            reason=response.reason,
            headers=response.headers,
            request=str(request),
            credential=credential,
            name=self.name,
            renewal=self._renewal,
        )

    def _read_body(
        self, response: requests.Response, request: _Request, reader: _Reader[_Result], credential: str, pace: Pace
    ) -> _Result | errors.TokenKitError:
        beginning = bytearray()

        def blocks() -> Iterator[bytes]:
            for block in self._blocks(response, request):
                pace.note_growth()
                beginning.extend(block[: 100 - len(beginning)])
                yield block

        def is_bar_due() -> bool:
            return self._clock.monotonic() - pace.begun > _LOG_WAIT_AFTER_SECONDS

        body = blocks()
        if request.is_shown:
            body = progress.with_progress_bar(body, response.raw.tell, _declared(response), self.name, due=is_bar_due)
        try:
            return reader(body, credential)
        except (errors.ResponseLostError, errors.InvalidResponseError) as failure:
            return failure
        except NotJsonError:
            return responses.malformed(bytes(beginning), str(request), self.name)

    def _blocks(self, response: requests.Response, request: _Request) -> Iterator[bytes]:
        """Yield the decompressed body.

        Raises:
            ResponseLostError: The body broke off.
            InvalidResponseError: The body has an unrequested encoding, or is too long.
        """
        if _encoding(response) not in {*_NOT_ENCODED, *_GZIP}:
            raise errors.InvalidResponseError(
                f"{self.name} responded to {request} with a Content-Encoding that was not requested. Check that no "
                "proxy modifies responses."
            )
        received = 0
        failure: errors.TokenKitError | None = None
        try:
            for block in _content(response):
                received += len(block)
                allowed_bytes = max(_UNCHECKED_DECOMPRESSED_BYTES, _MAX_COMPRESSION_RATIO * response.raw.tell())
                if received > min(request.max_bytes, allowed_bytes):
                    failure = _too_long(request, self.name, is_compressed=received > allowed_bytes)
                    break
                yield block
        except Exception as error:  # noqa: BLE001 - as for the headers
            failure = _connection_error(error, str(request), self.name)
        failure = failure or _truncation_error(response, str(request), self.name)
        if failure is not None:
            raise failure

    def _signed(self, request: _Request) -> requests.PreparedRequest:
        """Return the prepared and signed request.

        A ``requests.Session`` is not used because it follows redirects, keeps cookies and reads ``.netrc``. A redirect
        leads to a login page, and following it would send the credential there. Without a session a small request also
        costs 40 % less.
        """
        signed = requests.PreparedRequest()
        parameters = {name: str(value) for name, value in (request.query or {}).items() if value is not None}
        signed.method = request.method
        signed.url = self._root + request.path + (f"?{urlencode(parameters)}" if parameters else "")
        signed.headers = self._headers.copy()
        try:
            signed.prepare_body(None, None, request.body)
        except (TypeError, RecursionError, requests.exceptions.InvalidJSONError):
            signed.body = None
        if request.body and signed.body is None:
            raise errors.UsageError(f"{request} was not sent: an argument cannot be written as JSON.")
        signed.headers.update(self._credentials.headers())  # last, and in no local variable of tokenkit
        return signed

    @functools.cached_property
    def _root(self) -> str:
        """The host as requests normalizes it; the first call raises an error if it is invalid."""
        return str(requests.Request("GET", self.host).prepare().url).rstrip("/")


def _encoding(response: requests.Response) -> str:
    return str(response.headers.get("Content-Encoding", "")).strip().lower()


def _content(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of a response. Only gzip is decompressed, because nothing else was requested."""
    response.raw.headers.pop("Content-Encoding", None)  # else urllib3 decompresses it
    blocks = response.iter_content(_BLOCK_BYTES)
    return gunzipped(blocks, _BLOCK_BYTES) if _encoding(response) in _GZIP else blocks


def _connection_error(failure: Exception, request: str, name: str) -> errors.TokenKitError:
    """Return the error for a failed connection: either no request was sent, or its response was lost."""
    reason = _reason(failure)
    if isinstance(failure, errors.TokenKitError):
        return failure
    if isinstance(failure, requests.exceptions.SSLError) and "certificate" in str(failure).lower():
        error: errors.TokenKitError = errors.ConnectionFailedError(
            f"TLS certificate verification failed for {name}. Behind a company proxy, set REQUESTS_CA_BUNDLE to the "
            "proxy's certificate file."
        )
    elif isinstance(failure, EndlessError):
        error = errors.InvalidResponseError(
            f"{name} sent an endless response to {request}. Check that the host is a Databricks workspace and that no "
            "proxy responds in its place."
        )
    elif isinstance(failure, _NO_HOST):
        error = errors.ConfigurationError(
            f"{name!r} is not a host. Write it as https://my-workspace.cloud.databricks.com."
        )
    elif isinstance(failure, requests.exceptions.ChunkedEncodingError | zlib.error):
        error = errors.ResponseLostError(f"{name} broke off its response to {request}. {_CHECK_FIRST}")
    elif reason in _NEVER_CONNECTED:
        error = errors.ConnectionFailedError(
            f"{name} could not be reached; no request was sent. Check the host name, the network and the proxy."
        )
    elif isinstance(failure, requests.Timeout | TimeoutError) or reason == "ReadTimeoutError":
        error = errors.ResponseLostError(f"{name} did not respond in time to {request}. {_CHECK_FIRST}")
    else:
        error = errors.ResponseLostError(f"{name} dropped the connection during {request}. {_CHECK_FIRST}")
    return error


_CHECK_FIRST = "The request may have taken effect. Check before you repeat it."
_NO_HOST = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
# urllib3 could not connect: connection refused, no route, unknown name, or an error of a proxy.
_NEVER_CONNECTED = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError"})


def _reason(failure: Exception) -> str:
    """Return the class name of the urllib3 error that requests wraps."""
    reason = failure.args[0] if failure.args else None
    return type(getattr(reason, "reason", reason)).__name__


def _too_long(request: _Request, name: str, *, is_compressed: bool) -> errors.InvalidResponseError:
    how = (
        f"decompresses to more than {_MAX_COMPRESSION_RATIO} times its length"
        if is_compressed
        else f"exceeds {request.max_bytes:,} bytes"
    )
    return errors.InvalidResponseError(
        f"The response of {name} to {request} {how}, so reading stopped. Check that the host is a Databricks "
        "workspace and that no proxy responds in its place."
    )


def _declared(response: requests.Response) -> int | None:
    """Return the ``Content-Length`` of a response, if it has one."""
    return responses.whole_number(response.headers.get("Content-Length", ""))


def _truncation_error(response: requests.Response, request: str, name: str) -> errors.ResponseLostError | None:
    """Return an error if the body is shorter than its ``Content-Length``.

    urllib3 before 2.0, which Databricks Runtime still includes, does not detect a truncated body.
    """
    declared, received = _declared(response), response.raw.tell() if response.raw is not None else 0
    if declared is None or received >= declared:
        return None
    return errors.ResponseLostError(
        f"The response of {name} to {request} was truncated: {received:,} of {declared:,} bytes received. Try again."
    )
