"""The OpenAPI description matches the sandbox: its routes and its responses."""

import pytest
import yaml

from benchmarks import fuzz
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.serving.routes import ENDPOINTS

from .conftest import StoppedClock

METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_description_has_exactly_the_routes_of_the_sandbox():
    paths = yaml.safe_load(fuzz.DESCRIPTION.read_text("utf-8"))["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item.keys() & METHODS}
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


@pytest.mark.timeout(900)  # hundreds of requests
def test_every_response_matches_the_description_and_none_is_a_server_error():
    with Sandbox(tokens=20, clock=StoppedClock()) as sandbox:
        statuses = fuzz.fuzz(sandbox, examples=4, seed=0)
    assert statuses.total() > 300
    assert {200, 204, 400, 401, 404} <= set(statuses)
    assert max(statuses) < 500
