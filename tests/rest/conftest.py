"""What the tests of the wire lean on besides the sandbox."""

import contextlib

import pytest

from tests.rest.wire import Server


@pytest.fixture
def serve():
    """Start a server that sends what a function says, for as long as a ``with`` block lasts."""

    @contextlib.contextmanager
    def serving(answer):
        server = Server(answer)
        yield server
        server.close()

    return serving
