"""The commands that run a server, in a shell only: sandbox, lab."""

from __future__ import annotations

from typing import Any

from tokenkit.commands.session import Session


def sandbox(session: Session[object], **settings: Any) -> int:  # noqa: ANN401, ARG001 - settings of the sandbox; no session needed
    """Serve a simulated workspace until interrupted."""
    from tokenkit.sandbox.__main__ import serve  # noqa: PLC0415 - slow to import

    return serve(**settings)


def lab(session: Session[object], *, no_browser: bool, port: int | None) -> int:
    """Open JupyterLab with a copy of the guides, connected to a sandbox."""
    from tokenkit.commands.lab import serve  # noqa: PLC0415 - JupyterLab is an extra

    return serve(session.warn, open_browser=not no_browser, port=port)
