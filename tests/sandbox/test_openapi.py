"""The description of the sandbox is of this sandbox: every route and no other, and every answer as it says."""

import yaml

from benchmarks import fuzz
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.authentication import METADATA
from tokenkit.sandbox.routes import ENDPOINTS
from tokenkit.sandbox.service import _DISCOVERY, _GRANT

from .conftest import Clock

METHODS = {"get", "post", "put", "patch", "delete"}


def test_every_route_is_described_and_every_described_one_is_a_route():
    paths = yaml.safe_load(fuzz.DESCRIPTION.read_text("utf-8"))["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item.keys() & METHODS}
    before_sign_in = {("GET", METADATA), ("GET", _DISCOVERY), ("POST", _GRANT)}
    assert described == {(each.method, each.path) for each in ENDPOINTS} | before_sign_in


def test_whatever_is_asked_the_answer_is_as_described_and_no_mistake_of_the_sandbox_s_own():
    with Sandbox(tokens=20, clock=Clock()) as sandbox:
        answered = fuzz.fuzz(sandbox, examples=8, seed=0)
    assert answered.total() > 300
    assert {200, 204, 400, 401, 404} <= set(answered)
    assert max(answered) < 500
