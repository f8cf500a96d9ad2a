"""Where tokenkit keeps what outlives a process: the journal, the copies of the guides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder that ``TOKENKIT_HOME`` names, else the platform's state folder; it may not exist yet."""
    named = (os.environ if environ is None else environ).get("TOKENKIT_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_state_path  # noqa: PLC0415 - only who names no folder needs it

    return user_state_path("tokenkit", appauthor=False)
