"""One request to one workspace: timeouts, retries, errors, and nothing secret in any of them.

**When is a second attempt safe?** The question is not the status but whether the first attempt may have been carried
out.

====================================  ============================  ==============================================
what happened                         may it have been carried out  so
====================================  ============================  ==============================================
429, or 5xx that names a limit        no, it was turned away        every request is retried
400, the workspace is being set up    no, likewise                  every request is retried
the connection could not be made      no, nothing was sent          every request is retried
502, 503, 504, dropped, timeout       perhaps                       retried unless the method is POST
====================================  ============================  ==============================================

A POST here mints a token, so a second one after a lost answer could leave a live credential that nobody knows of; it is
reported as ``AnswerLostError`` and left to the caller to look up. GET, PUT, PATCH and DELETE of this API end in the
same state however often they run. A refusal that follows a lost answer says so (``ApiError.after_lost_answer``).

Waits obey ``Retry-After``, else back off exponentially with full jitter, and all attempts together fit one budget of
seconds: a wait that would not fit is not begun, and the last error is raised instead. A host that never answered yet
gets 15 seconds at the most: its name may be misspelt.

**How much may an answer be?** A small one is bounded in bytes and in seconds. A listing is as long as it is: it is
bounded by its progress (``_Pace``), and far away in bytes. What is unpacked is bounded in proportion to what came.

requests' own exceptions hold the prepared request and so the credential, as do the frames of requests and urllib3. They
do not leave this module: an error is built inside ``except`` and raised outside it, and ``without_frames`` takes care
of everything else, such as an interrupt. The module is long because no other may import requests; what needs none of it
is in ``answers`` and ``progress``.
"""

from __future__ import annotations

import copy
import functools
import http.client
import io
import logging
import os
import random
import re
import threading
import time
import weakref
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
from tokenkit.rest.tracebacks import without_frames
from tokenkit.version import __version__

_LOGGER = logging.getLogger("tokenkit")
_USER_AGENT = f"tokenkit/{__version__}"
_CONNECT_TIMEOUT_SECONDS = 10
_WORTH_A_WORD_SECONDS = 2.0
_STRANGER_SECONDS = 15.0  # a host that was never reached is more likely misspelt than down
_BLOCK_BYTES = 1 << 16
_MOST_BYTES = 1 << 24  # of a small answer: 16 MiB
_MOST_BYTES_OF_A_PAGE = 1 << 30  # a group of 2M members is 240 MB
_MOST_BYTES_OF_A_LISTING = 1 << 33  # 1M tokens with 50 fields more are 2 GiB
_MOST_BYTES_OF_A_REFUSAL = 1 << 20
_MOST_BYTES_AROUND_A_BODY = 1 << 20  # a head, interim answers, trailers, packing that holds nothing
_FREELY_UNPACKED_BYTES = 1 << 24
_MOST_UNPACKED = 200  # bytes from one that came; a listing of tokens that differ in their ids alone has 70
_LEAST_BYTES_PER_SECOND = 1024
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_Answer = TypeVar("_Answer")
_Reader = Callable[[Iterator[bytes], str], _Answer | errors.TokenKitError]


class NotJsonError(Exception):
    """What a reader of a body raises when it is not JSON of the expected form, or ends too early."""


class _EndlessError(Exception):
    """Bytes come and come, and the body does not grow by them."""


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


@dataclass(frozen=True)
class _Request:
    """What is asked; as a text its method and path."""

    method: str
    path: str
    query: Mapping[str, object] | None = None
    body: Mapping[str, Any] | None = None
    is_listing: bool = False
    is_shown: bool = False
    most_bytes: int = _MOST_BYTES

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _BearerOf(AuthBase):
    """Signs a request at the last moment, so that no frame of ours holds the header in a local variable."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._credentials.headers())
        return request


class _Pace:
    """How long an answer may take: until a moment, or for as long as enough of it comes.

    A timeout of a socket bounds the silence between two bytes. A server that sends one now and then keeps whoever reads
    for ever.
    """

    def __init__(self, clock: Clock, silence_seconds: float, until: float | None = None) -> None:
        self._clock = clock
        self.begun = clock.monotonic()
        self._silence_seconds = silence_seconds
        self._until = until
        self._missing_bytes = 0.0
        self._bytes_around = 0

    def seconds_left(self) -> float:
        """Return how long the next bytes may take.

        Raises:
            TimeoutError: No longer.
        """
        if self._until is None:
            return self._silence_seconds
        seconds = min(self._silence_seconds, self._until - self._clock.monotonic())
        if seconds <= 0:
            raise TimeoutError("the answer came too slowly")
        return seconds

    def note(self, count: int) -> None:
        """Take note of bytes that came.

        Raises:
            _EndlessError: There were too many since the body last grew.
        """
        self._bytes_around += count
        if self._bytes_around > _MOST_BYTES_AROUND_A_BODY:
            raise _EndlessError

    def note_growth(self) -> None:
        """Take note that the body has grown."""
        self._bytes_around = 0


class _Progress(_Pace):
    """Of a listing: from its first byte on, so many bytes must come in each period of the longest silence."""

    def note(self, count: int) -> None:
        super().note(count)
        self._missing_bytes -= count
        if self._missing_bytes <= 0:
            self._missing_bytes = _LEAST_BYTES_PER_SECOND * self._silence_seconds
            self._until = self._clock.monotonic() + self._silence_seconds


class _PacedStream(io.RawIOBase):
    """A socket's stream of which each read takes no longer than the pace allows."""

    def __init__(self, stream: io.RawIOBase, socket: Any, pace: _Pace) -> None:  # noqa: ANN401 - one of four kinds
        self._stream = stream
        self._socket = socket
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - as in io
        self._socket.settimeout(self._pace.seconds_left())
        count = self._stream.readinto(buffer)
        self._pace.note(count or 0)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _ThisThread(threading.local):
    """The pace of the request that this thread is sending; urllib3 has no way to hand it to the response."""

    pace: _Pace | None = None


_THIS_THREAD = _ThisThread()


class _PacedResponse(http.client.HTTPResponse):
    """Reads its head and its body at the pace of the request that it answers."""

    def __init__(self, sock: Any, *settings: Any, **more: Any) -> None:  # noqa: ANN401 - as in http.client
        super().__init__(sock, *settings, **more)
        if _THIS_THREAD.pace is not None:
            self.fp = io.BufferedReader(_PacedStream(self.fp.detach(), sock, _THIS_THREAD.pace))


@functools.cache
def _paced(connection: type) -> type:
    return type(connection.__name__, (connection,), {"response_class": _PacedResponse})


class _OneHostAdapter(HTTPAdapter):
    """Looks up once what requests works out for each request of a host: whose connections, through which proxy.

    That is a tenth of what a small request costs.
    """

    _pool: Any = None

    def get_connection_with_tls_context(self, *which: Any, **settings: Any) -> Any:  # noqa: ANN401 - requests' own
        pool = self._pool
        if pool is None:
            pool = self._pool = self._with_pace(super().get_connection_with_tls_context(*which, **settings))
        return pool

    def get_connection(self, *which: Any, **settings: Any) -> Any:  # noqa: ANN401 - requests 2.31 asks here
        return self._with_pace(super().get_connection(*which, **settings))

    def _with_pace(self, pool: Any) -> Any:  # noqa: ANN401 - of urllib3
        pool.ConnectionCls = _paced(type(pool).ConnectionCls)
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


_ADAPTERS: weakref.WeakSet[_OneHostAdapter] = weakref.WeakSet()
_OF_THE_PARENT: list[object] = []


def _leave_the_parent_its_sockets() -> None:
    """Give every adapter connections of its own; two processes that read from one socket read each other's answers.

    The parent's are kept as they are: to close them here could wait for a lock that another thread held at the fork.
    """
    for adapter in list(_ADAPTERS):
        _OF_THE_PARENT.append((adapter._pool, adapter.poolmanager, adapter.proxy_manager))  # noqa: SLF001 - one of us
        adapter._pool = None  # noqa: SLF001 - one of us
        adapter.__setstate__(adapter.__getstate__())  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_the_parent_its_sockets)


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
        _ADAPTERS.add(self._adapter)
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
        """Return the JSON object that the workspace answers.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path after the host, beginning with a slash.
            query: Parameters; those that are None are left out.
            body: Sent as JSON.
            is_listing: Whether the answer may be long, and is bounded by its progress rather than by time.

        Raises:
            ApiError: The workspace said no, or kept saying "later" until the retry budget was spent.
            ConnectionFailedError: It could not be reached; nothing was carried out.
            AnswerLostError: A POST was sent, or the budget is spent, and no answer tells what became of it.
            MalformedAnswerError: The answer was not a JSON object, or too long.
        """

        def whole(blocks: Iterator[bytes], credential: str) -> dict[str, Any] | errors.MalformedAnswerError:
            return answers.document(b"".join(blocks), method, f"{method} {path}", self.name, credential)

        most_bytes = _MOST_BYTES_OF_A_PAGE if is_listing else _MOST_BYTES
        return self._retried(_Request(method, path, query, body, is_listing, most_bytes=most_bytes), whole)

    @without_frames()
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

        def shown(blocks: Iterator[bytes], _credential: str) -> _Answer:
            return reader(blocks)

        return self._retried(
            _Request("GET", path, query, None, is_listing=True, is_shown=True, most_bytes=_MOST_BYTES_OF_A_LISTING),
            shown,
        )

    def _retried(self, request: _Request, reader: _Reader[_Answer]) -> _Answer:
        """Attempt until there is an answer, an error that will not pass, or no time left."""
        begun, budget_seconds = self._clock.monotonic(), self._retries.budget_seconds
        attempt, lost = 0, False
        while True:
            attempt += 1
            outcome = self._attempt(request, reader, until=begun + budget_seconds)
            if not isinstance(outcome, errors.TokenKitError):
                return outcome
            error = outcome
            if isinstance(error, errors.ApiError):
                error.after_lost_answer = lost
                passing = answers.is_passing(error)
                may_have_run = error.status >= 500 and not isinstance(error, errors.RateLimitedError)
            else:
                may_have_run = isinstance(error, errors.AnswerLostError)
                passing = may_have_run or isinstance(error, errors.ConnectionFailedError)
            if not passing or (may_have_run and request.method == "POST"):
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

    def _attempt(self, request: _Request, reader: _Reader[_Answer], *, until: float) -> _Answer | errors.TokenKitError:
        """Send once; return the answer, or the error it amounts to, free of anything that requests holds."""
        begun, silence_seconds = self._clock.monotonic(), self._retries.read_timeout_seconds
        pace = _THIS_THREAD.pace = (
            _Progress(self._clock, silence_seconds)
            if request.is_listing
            else _Pace(self._clock, silence_seconds, max(until, begun + silence_seconds))
        )
        try:
            signed = self._signed(request)
        except (requests.RequestException, ValueError) as failure:
            return _connection_error(failure, str(request), self.name)
        try:
            response = self._adapter.send(signed, timeout=(_CONNECT_TIMEOUT_SECONDS, silence_seconds), **self._settings)
        except Exception as failure:  # noqa: BLE001 - a hostile answer breaks urllib3 in ways that it does not wrap
            return _connection_error(failure, str(request), self.name)
        self._reached = True
        self.note_workspace_id(response.headers.get("X-Databricks-Org-Id", ""))
        credential = str(signed.headers.get("Authorization", "")).rpartition(" ")[2]
        try:
            if not 200 <= response.status_code < 300:
                return self._refusal(response, request, credential, pace)
            return self._consumed(response, request, reader, credential, pace)
        finally:
            response.close()

    def _refusal(
        self, response: requests.Response, request: _Request, credential: str, pace: _Pace
    ) -> errors.TokenKitError:
        content = bytearray()
        try:
            for block in response.iter_content(_BLOCK_BYTES):
                pace.note_growth()
                content += block
                if len(content) > _MOST_BYTES_OF_A_REFUSAL:
                    break
        except Exception as failure:  # noqa: BLE001 - as for the head
            return _connection_error(failure, str(request), self.name)
        return answers.refusal(
            response.status_code,
            bytes(content),
            reason=response.reason,
            headers=response.headers,
            request=str(request),
            credential=credential,
            name=self.name,
        )

    def _consumed(
        self,
        response: requests.Response,
        request: _Request,
        reader: _Reader[_Answer],
        credential: str,
        pace: _Pace,
    ) -> _Answer | errors.TokenKitError:
        beginning = bytearray()

        def blocks() -> Iterator[bytes]:
            for block in self._body(response, request):
                pace.note_growth()
                beginning.extend(block[: 100 - len(beginning)])
                yield block

        def is_long() -> bool:
            return self._clock.monotonic() - pace.begun > _WORTH_A_WORD_SECONDS

        shown = blocks()
        if request.is_shown:
            shown = progress.shown(shown, response.raw.tell, _declared(response), self.name, due=is_long)
        try:
            return reader(shown, credential)
        except (errors.AnswerLostError, errors.MalformedAnswerError) as failure:
            return failure
        except NotJsonError:
            return answers.malformed(bytes(beginning), str(request), self.name)

    def _body(self, response: requests.Response, request: _Request) -> Iterator[bytes]:
        """Yield the body, unpacked.

        Raises:
            AnswerLostError: It broke off.
            MalformedAnswerError: It is packed in a way that was not asked for, or is longer than any answer.
        """
        if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
            raise errors.MalformedAnswerError(
                f"{self.name} packed its answer to {request} in a way that was not asked for. Check that no proxy "
                "stands in between."
            )
        received = 0
        failure: errors.TokenKitError | None = None
        try:
            for block in response.iter_content(_BLOCK_BYTES):
                received += len(block)
                unpacked_bytes = max(_FREELY_UNPACKED_BYTES, _MOST_UNPACKED * response.raw.tell())
                if received > min(request.most_bytes, unpacked_bytes):
                    failure = _too_long(request, self.name, is_packed=received > unpacked_bytes)
                    break
                yield block
        except Exception as error:  # noqa: BLE001 - as for the head
            failure = _connection_error(error, str(request), self.name)
        failure = failure or _cut_short(response, str(request), self.name)
        if failure is not None:
            raise failure

    def _signed(self, request: _Request) -> requests.PreparedRequest:
        """Return a request ready to leave.

        A session of requests would make the same one, and would follow redirects and keep cookies, which are not wanted
        here: a redirect is a login page, and following one would sign a request to it. It would also read ``.netrc``.
        Without a session a small request costs 40 % less.
        """
        signed = requests.PreparedRequest()
        parameters = {name: str(value) for name, value in (request.query or {}).items() if value is not None}
        signed.method = request.method
        signed.url = self._root + request.path + (f"?{urlencode(parameters)}" if parameters else "")
        signed.headers = self._headers.copy()
        signed.prepare_body(None, None, request.body)
        signed.prepare_auth(self._auth)
        return signed

    @functools.cached_property
    def _root(self) -> str:
        """The host as requests reads it; one that it cannot read is an error of the first call."""
        return str(requests.Request("GET", self.host).prepare().url).rstrip("/")


def _connection_error(failure: Exception, what: str, name: str) -> errors.TokenKitError:
    """Tell a request that never left from one whose answer was lost."""
    reason = _reason(failure)
    lost = f"{what}; it may have been carried out."
    if isinstance(failure, errors.TokenKitError):
        return failure
    if isinstance(failure, requests.exceptions.SSLError) and "certificate" in str(failure).lower():
        error: errors.TokenKitError = errors.ConnectionFailedError(
            f"{name} could not be trusted: its TLS certificate was refused. Behind a company proxy, set "
            "REQUESTS_CA_BUNDLE to the proxy's certificate file."
        )
    elif isinstance(failure, _EndlessError):
        error = errors.MalformedAnswerError(
            f"The answer of {name} to {what} does not come to an end. Check that the host is a Databricks workspace "
            "and that no proxy stands in between."
        )
    elif isinstance(failure, _NO_HOST):
        error = errors.ConfigurationError(
            f"{name!r} is not a host. Write it as https://my-workspace.cloud.databricks.com."
        )
    elif isinstance(failure, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        error = errors.AnswerLostError(f"{name} broke off its answer to {lost}")
    elif reason in _NEVER_CONNECTED:
        error = errors.ConnectionFailedError(
            f"{name} could not be reached; nothing was sent. Check the host's name, the network and the proxy settings."
        )
    elif isinstance(failure, requests.Timeout | TimeoutError) or reason == "ReadTimeoutError":
        error = errors.AnswerLostError(f"{name} did not answer in time: {lost} Look before repeating it.")
    else:
        error = errors.AnswerLostError(f"{name} dropped the connection during {lost} Look before repeating it.")
    return error


_NO_HOST = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
# urllib3 gave up before it had a connection: refused, no route, no such name, a proxy that said no.
_NEVER_CONNECTED = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError"})


def _reason(failure: Exception) -> str:
    """Return the name of what urllib3 raised, where requests wraps it."""
    reason = failure.args[0] if failure.args else None
    return type(getattr(reason, "reason", reason)).__name__


def _too_long(request: _Request, name: str, *, is_packed: bool) -> errors.MalformedAnswerError:
    how = (
        f"unpacks to more than {_MOST_UNPACKED} times its length"
        if is_packed
        else f"exceeds {request.most_bytes:,} bytes"
    )
    return errors.MalformedAnswerError(
        f"The answer of {name} to {request} {how}, so it was not read on. Check that the host is a Databricks "
        "workspace and that no proxy stands in between."
    )


def _declared(response: requests.Response) -> int | None:
    """Return how many bytes were promised, where that is known."""
    return answers.whole_number(response.headers.get("Content-Length", ""))


def _cut_short(response: requests.Response, what: str, name: str) -> errors.AnswerLostError | None:
    """Return an error where fewer bytes came than were promised.

    urllib3 before 2.0, which Databricks Runtime still has, does not notice that a body ended too early.
    """
    declared, received = _declared(response), response.raw.tell() if response.raw is not None else 0
    if declared is None or received >= declared:
        return None
    return errors.AnswerLostError(
        f"{name} cut its answer to {what} short: {received:,} of {declared:,} bytes came. Nothing of it was "
        "used; try again."
    )
