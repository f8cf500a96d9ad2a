"""A server in a process of its own, on this machine."""

import contextlib
import socket
import subprocess
import time


class Server:
    """A program that serves on 127.0.0.1 while its context lasts.

    Args:
        folder: Where its log is.

    Attributes:
        url: Its address.
    """

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self):
        """Return the program and its arguments, and its environment."""
        raise NotImplementedError

    def __enter__(self):
        command, environment = self.command()
        log = self.folder / "server.log"
        with log.open("w") as file:
            self._process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=file, stderr=file)
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.05)
        self.__exit__()
        raise TimeoutError(log.read_text())

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
