"""How slow a response can be: a deadline, or a minimum rate, for headers and body.

The timeout of a socket only limits the time between two bytes. A server that sends a byte now and then could keep the
reader busy forever. Neither requests nor urllib3 has a limit for a whole response, so the sockets of their connections
are replaced by ``paced`` ones, which give each read the time that remains.
"""

from __future__ import annotations

import functools
import http.client
import io
import threading
from typing import Any, Protocol

_MAX_BYTES_WITHOUT_GROWTH = 1 << 20  # headers, interim responses, trailers, compressed data without content
_MIN_BYTES_PER_SECOND = 1024


class EndlessError(Exception):
    """Raised if the server keeps sending bytes that do not extend the body."""


class MonotonicClock(Protocol):
    """The part of the module ``time`` that the retry loop uses."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment; the value never decreases."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for a number of seconds."""


class Pace:
    """The pace of a response: its duration is limited by a deadline."""

    def __init__(self, clock: MonotonicClock, silence_seconds: float, until: float | None = None) -> None:
        self._clock = clock
        self.begun = clock.monotonic()
        self._silence_seconds = silence_seconds
        self._until = until
        self._due_bytes = 0.0
        self._bytes_without_growth = 0

    def remaining_seconds(self) -> float:
        """Return the time limit for the next bytes.

        Raises:
            TimeoutError: The limit has passed.
        """
        if self._until is None:
            return self._silence_seconds
        seconds = min(self._silence_seconds, self._until - self._clock.monotonic())
        if seconds <= 0:
            raise TimeoutError("the response is too slow")
        return seconds

    def note(self, count: int) -> None:
        """Count received bytes.

        Raises:
            EndlessError: Too many were received since the body last grew.
        """
        self._bytes_without_growth += count
        if self._bytes_without_growth > _MAX_BYTES_WITHOUT_GROWTH:
            raise EndlessError

    def note_growth(self) -> None:
        """Record that the body has grown."""
        self._bytes_without_growth = 0


class ListingPace(Pace):
    """The pace of a listing: after the first byte, each read timeout must bring a minimum number of bytes."""

    def note(self, count: int) -> None:
        """Count received bytes, and extend the time limit once enough were received."""
        super().note(count)
        self._due_bytes -= count
        if self._due_bytes <= 0:
            self._due_bytes = _MIN_BYTES_PER_SECOND * self._silence_seconds
            self._until = self._clock.monotonic() + self._silence_seconds


class _PacedStream(io.RawIOBase):
    """A socket's stream that limits each read to the time that the pace allows."""

    def __init__(self, stream: io.RawIOBase, socket: Any, pace: Pace) -> None:  # noqa: ANN401 - one of four kinds
        self._stream = stream
        self._socket = socket
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - as in io
        self._socket.settimeout(self._pace.remaining_seconds())
        count = self._stream.readinto(buffer)
        self._pace.note(count or 0)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _ThisThread(threading.local):
    """The pace of the request that this thread sends; urllib3 cannot pass it to the response."""

    pace: Pace | None = None


THIS_THREAD = _ThisThread()


class _PacedResponse(http.client.HTTPResponse):
    """Reads headers and body at the pace of the request."""

    fp: Any = None  # an interrupt can come before http.client sets it, and the response is closed then too

    def __init__(self, sock: Any, *settings: Any, **more: Any) -> None:  # noqa: ANN401 - as in http.client
        super().__init__(sock, *settings, **more)
        if THIS_THREAD.pace is not None:
            whole = self.fp
            self.fp = io.BufferedReader(_PacedStream(whole.raw, sock, THIS_THREAD.pace))
            whole.detach()  # last: an interrupt must leave a file that can be closed


@functools.cache
def paced(connection: type) -> type:
    """Return a class of connections whose responses are read at the pace of ``THIS_THREAD``."""
    return type(connection.__name__, (connection,), {"response_class": _PacedResponse})
