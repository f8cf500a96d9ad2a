"""The sockets: one port for each workspace and the account, one accepting thread, and one thread for each connection.

Only the loopback interface is bound, because the sandbox has no other protection.

**Why no library?** The sandbox must drop, truncate and reset connections as faults ask it to, needs one thread for many
ports, and adds no dependency. A small request over a kept connection costs 44 µs of processor time here, 86 µs with
``http.server``, which parses headers as email, and 439 µs with Tornado (medians of 5 runs of 400 requests, Python 3.11,
a handler that returns a constant).
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from tokenkit.sandbox.serving.messages import UnreadableRequestError, head, read_request, wants_close
from tokenkit.sandbox.serving.service import Delivery
from tokenkit.sandbox.state.account import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenkit.sandbox.responses import Response
    from tokenkit.sandbox.serving.service import Service

LOOPBACK = "127.0.0.1"
# A smaller response is sent at once, head and body, because a second packet would delay it.
_ONE_PACKET = 1 << 16
_JOIN_SECONDS = 2.0
_IDLE_SECONDS = 600.0  # a client that sends or reads nothing for so long loses its connection
_OUT_OF_FILES_SECONDS = 0.05


class Server:
    """The HTTP server. It listens when constructed, and serves from ``start`` to ``stop``."""

    def __init__(
        self, service: Service, workspace_ids: Sequence[int], *, port: int, clock: Callable[[], float]
    ) -> None:
        self._service = service
        self._clock = clock
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._stopping = False
        self._accepting: threading.Thread | None = None
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._listeners: list[socket.socket] = []
        self.hosts: list[str] = []
        try:
            for index, workspace_id in enumerate(workspace_ids):
                self.hosts.append(self._listen(port + index if port else 0, workspace_id))
            self.account_host = self._listen(0, ACCOUNT)
        except (OSError, OverflowError):
            self._close()
            raise

    def start(self) -> None:
        """Start accepting connections."""
        self._accepting = threading.Thread(target=self._accept, name="sandbox-accept", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close every port and connection, and wait for requests in progress."""
        with self._lock:
            self._stopping = True
        self._wake.send(b"\0")
        if self._accepting is not None:
            self._accepting.join()
        self._service.stop()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections.values():
            thread.join(_JOIN_SECONDS)
        self._close()

    def _listen(self, port: int, workspace_id: int) -> str:
        listener = socket.create_server((LOOPBACK, port), backlog=1024)
        self._listeners.append(listener)
        listener.settimeout(0)
        host = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        self._selector.register(listener, selectors.EVENT_READ, (listener, host, workspace_id))
        return host

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                listener, host, workspace_id = key.data
                try:
                    connection, _ = listener.accept()
                except OSError as error:
                    # The client closed the connection, or no file descriptor is free. The latter goes on being
                    # reported until one is, so this waits, and leaves the processor to those that use the others.
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        time.sleep(_OUT_OF_FILES_SECONDS)
                    continue
                connection.settimeout(_IDLE_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(
                    target=self._serve, args=(connection, host, workspace_id), name="sandbox-connection", daemon=True
                )
                with self._lock:
                    self._connections[connection] = thread
                try:
                    thread.start()
                except RuntimeError:  # cannot start a thread: close this connection, and serve the others
                    self._close_connection(connection)

    def _serve(self, connection: socket.socket, host: str, workspace_id: int) -> None:
        try:
            with connection.makefile("rb") as stream:
                while True:
                    try:
                        request = read_request(stream, connection.sendall)
                    except UnreadableRequestError as unreadable:
                        self._send(connection, Delivery(unreadable.error.response(), workspace_id), close=True)
                        return
                    if request is None:
                        return
                    delivery = self._service.serve(request, host=host, workspace_id=workspace_id)
                    if delivery.drop:
                        _reset_on_close(connection)
                        return
                    close = wants_close(request) or delivery.truncate_bytes is not None
                    self._send(connection, delivery, close=close, only_head=request.method == "HEAD")
                    if close:
                        return
        except OSError:
            return  # the client closed the connection
        finally:
            self._close_connection(connection)

    def _close_connection(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.pop(connection, None)
        connection.close()

    def _send(self, connection: socket.socket, delivery: Delivery, *, close: bool, only_head: bool = False) -> None:
        response: Response = delivery.response
        first = head(response, workspace_id=delivery.workspace_id, now=self._clock(), close=close)
        body = b"" if only_head or response.status in (204, 304) else response.body
        if delivery.truncate_bytes is not None:
            body = body[: delivery.truncate_bytes]
        if len(body) < _ONE_PACKET:
            connection.sendall(first + body)
        else:
            connection.sendall(first)
            connection.sendall(body)

    def _close(self) -> None:
        for opened in (*self._listeners, self._wake, self._woken):
            opened.close()
        self._selector.close()


def _reset_on_close(connection: socket.socket) -> None:
    # With a linger of zero seconds, close() resets the connection: the client gets "connection reset by peer".
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
