"""Asking a person for what must not be seen."""

from __future__ import annotations

import getpass
import warnings


def ask_unseen(question: str) -> str | None:
    """Return what a person types without showing it; None where nobody can be asked, or it would show."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(question)
        except (EOFError, NotImplementedError, getpass.GetPassWarning):
            return None
