"""Which endpoints of the sandbox a tool called, to compare with what the sandbox's tables say of it."""

from tokenkit.sandbox.serving.routes import ACCOUNT_ENDPOINTS, ENDPOINTS, Router
from tokenkit.sandbox.state.account import ACCOUNT


def called(sandbox, agent=""):
    """Return whether it is the account's, the method and the path of each endpoint that was called, as in the tables.

    ``agent`` is the start of the client's User-Agent, where others call the sandbox as well.
    """
    routers = {True: Router(ACCOUNT_ENDPOINTS, sandbox.account_id), False: Router(ENDPOINTS)}
    endpoints = set()
    for request in sandbox.requests:
        is_served = request.status not in (404, 405) or not request.path.startswith("/api/")
        if is_served and request.user_agent.startswith(agent):
            of_account = request.workspace_id == ACCOUNT
            endpoint, _ = routers[of_account].find(request.method, request.path)
            endpoints.add((of_account, endpoint.method, endpoint.path))
    return endpoints


def documented(tool):
    """Return the endpoints that the tables say a tool is tested against."""
    tables = {True: ACCOUNT_ENDPOINTS, False: ENDPOINTS}
    return {
        (of_account, endpoint.method, endpoint.path)
        for of_account, table in tables.items()
        for endpoint in table
        if tool in endpoint.tools.split()
    }
