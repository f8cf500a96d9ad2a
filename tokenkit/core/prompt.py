"""Prompts for secret values."""

from __future__ import annotations

import getpass
import warnings


def ask_unseen(question: str) -> str | None:
    """Prompt for a value without echoing it; return None if there is no terminal, or the value would be visible."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(question)
        except (EOFError, OSError, RuntimeError, ValueError, getpass.GetPassWarning):
            return None
