"""The sockets: a port for each workspace and the account, one thread that accepts for all, one for each connection.

Only the loopback interface is bound: what is served here has no other protection.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING

from tokenkit.sandbox.account import ACCOUNT
from tokenkit.sandbox.messages import RefusedError, head, read_request, wants_close
from tokenkit.sandbox.service import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenkit.sandbox.answers import Answer
    from tokenkit.sandbox.service import Service

LOOPBACK = "127.0.0.1"
# Beside a large body its head may travel alone; beside a small one, one packet is what makes a small answer fast.
_ONE_PACKET = 1 << 16
_JOIN_SECONDS = 2.0


class Server:
    """Listens from its construction, serves from ``start`` to ``stop``."""

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
        """Begin to accept connections."""
        self._accepting = threading.Thread(target=self._accept, name="sandbox-accept", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close every port and connection, and wait for requests that are being served."""
        with self._lock:
            self._stopping = True
        self._wake.send(b"\0")
        if self._accepting is not None:
            self._accepting.join()
        self._service.stop()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            _shut(connection)
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
                except OSError:
                    continue  # the client left first, or descriptors ran out for now
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(
                    target=self._serve, args=(connection, host, workspace_id), name="sandbox-connection", daemon=True
                )
                with self._lock:
                    self._connections[connection] = thread
                try:
                    thread.start()
                except RuntimeError:  # no thread is left: this client is turned away, the others are served
                    self._forget(connection)

    def _serve(self, connection: socket.socket, host: str, workspace_id: int) -> None:
        try:
            with connection.makefile("rb") as stream:
                while True:
                    try:
                        request = read_request(stream, connection.sendall)
                    except RefusedError as refused:
                        self._send(connection, Delivery(refused.error.answer(), workspace_id), close=True)
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
            return  # the client left in the middle
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.pop(connection, None)
        connection.close()

    def _send(self, connection: socket.socket, delivery: Delivery, *, close: bool, only_head: bool = False) -> None:
        answer: Answer = delivery.answer
        first = head(answer, workspace_id=delivery.workspace_id, now=self._clock(), close=close)
        body = b"" if only_head or answer.status in (204, 304) else answer.body
        if delivery.truncate_bytes is not None:
            body = body[: delivery.truncate_bytes]
        if len(body) < _ONE_PACKET:
            connection.sendall(first + body)
        else:
            connection.sendall(first)
            connection.sendall(body)

    def _close(self) -> None:
        for each in (*self._listeners, self._wake, self._woken):
            each.close()
        self._selector.close()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _reset_on_close(connection: socket.socket) -> None:
    # A linger of zero seconds turns the close into a reset: the client reads "connection reset by peer".
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
