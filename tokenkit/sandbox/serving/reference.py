"""The list of endpoints in ``docs/sandbox.md``.

``python -m tokenkit.sandbox.serving.reference docs/sandbox.md`` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tokenkit.sandbox.serving.routes import ACCOUNT_ENDPOINTS, ENDPOINTS, TOOLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenkit.sandbox.serving.routes import Endpoint

_MARKER = "<!-- endpoints -->\n"


def endpoint_list() -> str:
    """Return the endpoints of both hosts as Markdown tables, with the tools that the tests run against each."""
    tools = "\n".join(f"- {key}: {name}" for key, name in TOOLS.items())
    return "\n".join(
        [
            "The tests run these tools against the sandbox, at pinned versions:",
            "",
            tools,
            "",
            "The host of a workspace serves:",
            "",
            *_table(ENDPOINTS),
            "",
            "The host of the account serves:",
            "",
            *_table(ACCOUNT_ENDPOINTS),
        ]
    )


def with_endpoints(page: str) -> str:
    """Return a page with the list of endpoints after its marker."""
    return f"{page.partition(_MARKER)[0]}{_MARKER}\n{endpoint_list()}\n"


def _table(endpoints: Sequence[Endpoint]) -> list[str]:
    rows = [
        f"| `{endpoint.method} {endpoint.path}` | {_sentence(endpoint)} | {', '.join(endpoint.tools.split())} |"
        for endpoint in endpoints
    ]
    return ["| endpoint | purpose | run against it |", "|---|---|---|", *rows]


def _sentence(endpoint: Endpoint) -> str:
    """Return the first sentence of the handler's docstring, without its period."""
    return (endpoint.handler.__doc__ or "").strip().splitlines()[0].removesuffix(".").replace("``", "`")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_endpoints(path.read_text("utf-8")), "utf-8")
