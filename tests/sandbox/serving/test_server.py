import os
import resource
import socket
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.conftest import OBO, PERMISSIONS, SCIM, TOKENS, Client, StoppedClock, service_principal
from tests.waiting import wait_until
from tokenkit.sandbox import Sandbox


def test_only_the_loopback_interface_is_bound(sandbox):
    assert {listener.getsockname()[0] for listener in sandbox._server._listeners} == {"127.0.0.1"}


def test_another_address_of_this_machine_is_not_served(sandbox):
    port = urllib.parse.urlsplit(sandbox.host).port
    for address in ("127.0.0.2", "::1"):
        with pytest.raises(OSError):  # noqa: PT011  # the connection is rejected, or the address family does not exist
            socket.create_connection((address, port), timeout=5)


def test_the_address_to_listen_on_cannot_be_changed():
    for setting in ("host", "address", "bind"):
        with pytest.raises(TypeError):
            Sandbox(**{setting: "0.0.0.0"})  # noqa: S104 - that is the point


def test_many_threads_delete_each_token_exactly_once(sandbox, admin, make_sandbox, clients):
    sandbox = make_sandbox(tokens=400)
    admin = clients(sandbox.host, sandbox.token)
    infos = admin.ok("GET", TOKENS)["token_infos"]
    deleted = [info["token_id"] for info in infos if info["created_by_username"] != "admin@example.com"] * 2
    local = threading.local()

    def delete(token_id):
        if not hasattr(local, "client"):
            local.client = clients(sandbox.host, sandbox.token)
        return local.client("DELETE", f"{TOKENS}/{token_id}").status_code

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(delete, deleted))
    assert codes.count(200) == codes.count(404) == len(deleted) // 2
    remaining = {info["token_id"] for info in admin.ok("GET", TOKENS)["token_infos"]}
    assert remaining == {info["token_id"] for info in infos} - set(deleted)
    assert len(sandbox.requests) == len(deleted) + 2


def test_concurrent_readers_and_writers_get_complete_responses(sandbox, admin, clients):
    robot = service_principal(admin)["applicationId"]

    def work(number):
        client = clients(sandbox.host, sandbox.token)
        for _ in range(10):
            if number % 3 == 0:
                client.ok("POST", OBO, {"application_id": robot})
            elif number % 3 == 1:
                assert len(client.ok("GET", TOKENS)["token_infos"]) >= 60
            else:
                client.ok("GET", PERMISSIONS)
                client.ok("GET", f"{SCIM}/Users")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert sandbox.workspaces[0].state.tokens.count() == 60 + 40


def test_two_hundred_workspaces_share_one_accepting_thread(make_sandbox, clients):
    before = threading.active_count()
    sandbox = make_sandbox(tokens=1, workspaces=200)
    assert threading.active_count() - before == 1
    assert len({workspace.host for workspace in sandbox.workspaces}) == 200
    last = sandbox.workspaces[-1]
    (info,) = clients(last.host, last.token).ok("GET", TOKENS)["token_infos"]
    assert info["workspace_id"] == last.workspace_id


def test_latency_is_simulated_in_parallel(make_sandbox, clients, monkeypatch):
    sandbox = make_sandbox(latency_ms=60)
    together = threading.Barrier(20)  # broken, and with it the request, unless twenty wait at once
    monkeypatch.setattr(sandbox._service, "_wait", lambda _: together.wait(timeout=30))

    def ask(_):
        return clients(sandbox.host, sandbox.token)("GET", f"{SCIM}/Me").status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {200}


def test_stopping_closes_ports_and_connections_during_simulated_latency(clients):
    sandbox = Sandbox(tokens=1, latency_ms=3_600_000, clock=StoppedClock()).start()
    outcome = []

    def ask():
        try:
            outcome.append(clients(sandbox.host, sandbox.token)("GET", TOKENS).status_code)
        except requests.ConnectionError:
            outcome.append("closed")

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: sandbox._server._connections)
    sandbox.stop()
    asking.join(60)
    assert len(outcome) == 1  # an hour has not passed
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(sandbox.host).port), timeout=1)


def test_a_client_that_disconnects_early_does_not_affect_others(sandbox, admin):
    port = urllib.parse.urlsplit(sandbox.host).port
    for data in (b"", b"GET", b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\na"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(data)
    assert admin.ok("GET", f"{SCIM}/Me")


def test_without_a_free_file_descriptor_it_waits_and_then_serves_again(sandbox, admin):
    """The process has no descriptor for a second connection until a file is closed."""
    admin.ok("GET", f"{SCIM}/Me")
    port = urllib.parse.urlsplit(sandbox.host).port
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = socket.socket()
    lowest = os.dup(waiting.fileno())
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))  # the next descriptor is over the limit
    try:
        waiting.connect(("127.0.0.1", port))
        waiting.sendall(f"GET {SCIM}/Me HTTP/1.1\r\nAuthorization: Bearer {sandbox.token}\r\n\r\n".encode())
        admin.ok("GET", f"{SCIM}/Me")  # the open connection is served
        waiting.settimeout(0.2)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    waiting.settimeout(30)
    assert waiting.recv(12) == b"HTTP/1.1 200"
    waiting.close()


def test_a_port_in_use_is_an_os_error_and_leaves_nothing_open(sandbox):
    port = urllib.parse.urlsplit(sandbox.host).port
    with pytest.raises(OSError, match="in use"):
        Sandbox(tokens=1, port=port)


def test_given_ports_are_consecutive():
    first = _three_free_ports()
    with Sandbox(tokens=1, workspaces=3, port=first) as sandbox:
        ports = [urllib.parse.urlsplit(workspace.host).port for workspace in sandbox.workspaces]
        assert ports == [first, first + 1, first + 2]
        client = Client(sandbox.workspaces[2].host, sandbox.workspaces[2].token)
        client.ok("GET", TOKENS)
        client.session.close()


def _three_free_ports():
    for first in range(28_000, 32_000, 3):
        try:
            for port in range(first, first + 3):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no three ports are free")
