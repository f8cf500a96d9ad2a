"""The verbs that run something of their own, in a shell only: sandbox, lab."""

from __future__ import annotations

import argparse

from tokenkit.verbs.session import Session


def sandbox(session: Session, options: argparse.Namespace) -> int:  # noqa: ARG001 - every verb takes a session
    """Serve a make-believe workspace until interrupted."""
    from tokenkit.sandbox.__main__ import serve  # noqa: PLC0415 - a web server, for those who ask for one

    return serve(options)


def sandbox_options(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's own options to a parser."""
    from tokenkit.sandbox.__main__ import configure  # noqa: PLC0415

    configure(parser)


def lab(session: Session, options: argparse.Namespace) -> int:
    """Open JupyterLab on a copy of the guides, with a sandbox behind it."""
    from tokenkit.lab import serve  # noqa: PLC0415 - JupyterLab is an extra

    return serve(session.say, open_browser=not options.no_browser)
