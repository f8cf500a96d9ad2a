"""Detects another project's distribution with tokenkit's import name.

On the package index, ``tokenkit`` is a project about tokenizers. If it is installed too, both have files in the same
folder, and the one that was installed last has overwritten files of the other.
"""

from __future__ import annotations

import contextlib
import functools
import sys

_OTHER = "tokenkit"


@functools.cache
def warn_of_other_distribution() -> None:
    """Write one line to standard error, once per process, if that distribution is installed."""
    from importlib import metadata  # noqa: PLC0415 - only a front end needs it

    if any(metadata.distributions(name=_OTHER)):
        with contextlib.suppress(OSError, AttributeError):  # there may be no standard error
            sys.stderr.write(
                "Warning: another distribution named tokenkit is installed and may have overwritten files of "
                "tokenkit-databricks. Uninstall both, then install tokenkit-databricks again.\n"
            )
