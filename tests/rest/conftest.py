"""Fixtures of the tests of rest/."""

import contextlib

import pytest

from tests.rest.wire import Server


@pytest.fixture
def serve():
    """Start a server that sends the results of a function, within a ``with`` block."""

    @contextlib.contextmanager
    def serving(response):
        server = Server(response)
        yield server
        server.close()

    return serving
