"""A server that sends arbitrary bytes at any pace."""

import contextlib
import json
import socket
import threading


class Server:
    """Responds to each request with the result of a function of its number: bytes, or an iterable of bytes."""

    def __init__(self, response):
        self._response = response
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = []
        self.peers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection, peer):
        with connection, contextlib.suppress(OSError):
            while request := self._request(connection):
                self.requests.append(request)
                self.peers.append(peer)
                response = self._response(len(self.requests))
                for block in [response] if isinstance(response, bytes) else response:
                    connection.sendall(block)

    @staticmethod
    def _request(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            head += byte
        return head.decode("latin-1")

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def reply(body, *headers, status="200 OK"):
    """Return a complete response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content
