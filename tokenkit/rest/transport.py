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
seconds: a wait that would not fit is not begun, and the last error is raised instead.

requests' own exceptions hold the prepared request and so the credential. They do not leave this module, not even as the
``__context__`` of ours: an error is built inside ``except`` and raised outside it.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from tokenkit import errors
from tokenkit.redaction import redact
from tokenkit.rest.credentials import Credentials, is_loopback

_LOGGER = logging.getLogger("tokenkit")
_USER_AGENT = f"tokenkit/{version('tokenkit')}"  # read once: it is a third of what a connected workspace costs
_CONNECT_TIMEOUT_SECONDS = 10
_WORTH_A_WORD_SECONDS = 2.0
_RETRIED_STATUSES = frozenset({429, 503})
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
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
            "User-Agent": _USER_AGENT,
        }
        if credentials.workspace_id:
            self._headers["X-Databricks-Workspace-Id"] = credentials.workspace_id
        self._adapter = HTTPAdapter(pool_maxsize=connections)
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
        deadline = self._clock.monotonic() + self._retries.budget_seconds
        attempt, lost = 0, False
        while True:
            attempt += 1
            outcome = attempt_once()
            if not isinstance(outcome, errors.TokenKitError):
                return outcome
            error = outcome
            if isinstance(error, errors.ApiError):
                error.after_lost_answer = lost
                may_have_run, passing = error.status >= 500, error.status in _RETRIED_STATUSES
            else:
                may_have_run = isinstance(error, errors.AnswerLostError)
                passing = may_have_run or isinstance(error, errors.ConnectionFailedError)
            if not passing or (may_have_run and method == "POST"):
                raise error
            lost = lost or may_have_run
            wait_seconds = self._wait_seconds(error, attempt)
            if self._clock.monotonic() + wait_seconds > deadline:
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
        if not response.ok or response.is_redirect:
            return _api_error(response, self.name)
        if reader is None:
            return _document(response, what, self.name)
        return self._consumed(response, reader, what, begun)

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

        try:
            return reader(self._shown(blocks(), response, begun))
        except errors.AnswerLostError as lost:
            return lost
        except NotJsonError:
            return _malformed(bytes(beginning), what, self.name)
        finally:
            response.close()

    def _shown(self, blocks: Iterator[bytes], response: requests.Response, begun: float) -> Iterator[bytes]:
        """Pass blocks on, with a progress bar once it takes longer than somebody waits without a word."""
        bar = None
        try:
            for block in blocks:
                if bar is None and self._clock.monotonic() - begun > _WORTH_A_WORD_SECONDS:
                    from tqdm.auto import tqdm  # noqa: PLC0415 - only a slow answer needs it

                    length = response.headers.get("Content-Length", "")
                    bar = tqdm(
                        total=int(length) if length.isdigit() else None,
                        desc=self.name,
                        unit="B",
                        unit_scale=True,
                        leave=False,
                        disable=None,  # where nobody watches
                        file=sys.stderr,
                    )
                if bar is not None:
                    bar.update(response.raw.tell() - bar.n)
                yield block
        finally:
            if bar is not None:
                bar.close()

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
        request.headers = CaseInsensitiveDict(self._headers)
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


def _document(response: requests.Response, what: str, name: str) -> dict[str, Any] | errors.TokenKitError:
    """Return the JSON object of a successful answer, or the error that says why there is none."""
    if (lost := _cut_short(response, what, name)) is not None:
        return lost
    content = response.content
    if not content.strip() and response.request.method == "DELETE":
        return {}  # whether a deletion answers `{}` or nothing is not documented
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else _malformed(content, what, name)


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


def _malformed(content: bytes, what: str, name: str) -> errors.MalformedAnswerError:
    """Return the error for a successful answer that is not a JSON object; its beginning is enough to know why."""
    if not content.strip():
        return errors.MalformedAnswerError(
            f"{name} answered {what} with an empty body. Try again; if it persists, check that the host is a "
            "Databricks workspace."
        )
    page = _looks_like_html(content)
    kind = "a web page (perhaps a login page)" if page else "something that is not a JSON object, or not a whole one"
    return errors.MalformedAnswerError(
        f"{name} answered {what} with {kind}. Check that the host is the workspace's own address and that no proxy "
        "stands in between."
    )


def _api_error(response: requests.Response, name: str) -> errors.ApiError:
    """Build the error that an answer stands for, from JSON, SCIM's JSON, a page, or nothing at all."""
    status = response.status_code
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    code = str(document.get("error_code") or "")
    said = document.get("message") or document.get("detail") or document.get("error") or ""
    page = not document and _looks_like_html(response.content)
    kind = errors.api_error_class(status, code)
    if status < 400:
        said, kind = "it redirected to a login page", errors.AuthenticationError
    elif page:
        said = _page_title(response.content)
        # A workspace answers a bad or expired credential with 403 and a page; a JSON 403 is about rights.
        kind = errors.AuthenticationError if status == 403 else kind
    details = document.get("details")
    said = redact(str(said), _credential(response)).strip() or f"{response.reason or 'no reason given'}"
    return kind(
        f"{name} refused ({code or status}): {said.rstrip('.')}. {_ADVICE.get(kind, '')}".rstrip(),
        status=status,
        error_code=code,
        details=details if isinstance(details, list) else (),
        workspace=name,
        retry_after_seconds=_retry_after_seconds(response) if status in _RETRIED_STATUSES else None,
    )


_ADVICE: dict[type[errors.ApiError], str] = {
    errors.AuthenticationError: (
        "The credential is wrong, expired or revoked: sign in again, or check DATABRICKS_TOKEN and the profile."
    ),
    errors.PermissionDeniedError: "This needs a workspace admin: connect as a member of the group 'admins'.",
    errors.FeatureDisabledError: "Personal access tokens are switched off in this workspace (enableTokensConfig).",
    errors.NotFoundError: "List again: it may have been revoked, or belong to another workspace.",
    errors.QuotaExceededError: "Revoke tokens of this owner that nobody uses, then try again.",
    errors.RateLimitedError: "Try again later, or with fewer requests at once.",
    errors.UnavailableError: "Try again later; the workspace may be overloaded or deploying.",
}


def _credential(response: requests.Response) -> str:
    """Return what the request was signed with, to keep it out of what is said about the answer."""
    return str(response.request.headers.get("Authorization", "")).rpartition(" ")[2]


def _retry_after_seconds(response: requests.Response) -> float | None:
    """Return the whole seconds of ``Retry-After``; the date form, which this API does not send, counts as absent."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdigit() else None


def _looks_like_html(content: bytes) -> bool:
    return content.lstrip()[:1] == b"<"


def _page_title(content: bytes) -> str:
    """Return what a page calls itself, cut to a line."""
    reader = _TitleReader()
    reader.feed(content[:20_000].decode("utf-8", "replace"))
    return " ".join(reader.title.split())[:200] or "a web page without a title"


class _TitleReader(HTMLParser):
    """Collects the text of ``<title>``, or of ``<pre>``, where Databricks' own error pages put the message."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._inside = tag in {"title", "pre"}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.title += f" {data}"
