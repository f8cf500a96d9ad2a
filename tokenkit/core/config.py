"""The file ``config.toml`` in the state folder: what is protected, and the defaults of commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenkit import errors

FILE_NAME = "config.toml"
PROTECT, DEFAULTS = "protect", "defaults"
PROTECTED_COLUMNS = {"owners": "owner", "comments": "comment", "token_ids": "token_id"}
"""The column of the listing that the patterns of each key are matched against."""
KEYS = {PROTECT: tuple(PROTECTED_COLUMNS), DEFAULTS: ("profile", "output", "columns", "thresholds")}
"""The keys of each table. A command that reads one also finds mistakes in the other, before a change needs it."""


def place(folder: Path, table: str) -> str:
    """Return a table and its file, for messages."""
    return f"[{table}] in {folder / FILE_NAME}"


def read_table(folder: Path, table: str, *, consequence: str = "") -> Mapping[str, Any]:
    """Return a table of the file; an empty one without a file.

    Args:
        folder: The folder of the file.
        table: The name of the table.
        consequence: What it means if the file cannot be read, as a part of the error.

    Raises:
        ConfigurationError: The file cannot be read, or it has an unknown table or key, in whichever table.
    """
    path = folder / FILE_NAME
    document = _document(path, consequence)
    for name, content in document.items():
        if name not in KEYS:
            raise errors.ConfigurationError(f"{path} has no table {name!r}. {errors.did_you_mean(name, KEYS)}")
        if not isinstance(content, Mapping):
            raise errors.ConfigurationError(f"{name} in {path} must be a table: [{name}].")
        for key in content:
            if key not in KEYS[name]:
                hint = errors.did_you_mean(key, KEYS[name])
                raise errors.ConfigurationError(f"{place(folder, name)} has an unknown key {key!r}. {hint}")
    found: Mapping[str, Any] = document.get(table, {})
    return found


def _document(path: Path, consequence: str) -> Mapping[str, Any]:
    try:
        if path.exists() and not path.is_file():
            problem = "it is not a file"  # a pipe would block
        else:
            text = path.read_text(encoding="utf-8-sig")
            import tomllib  # noqa: PLC0415 - only such a file needs it

            return tomllib.loads(text)
    except FileNotFoundError:
        dangling = [place for place in (path, *path.parents) if place.is_symlink() and not place.exists()]
        if not dangling:
            return {}
        problem = f"the target of the link {dangling[0]} does not exist"
    except RecursionError:
        problem = "it is nested too deeply"
    except OSError as failure:
        problem = failure.strerror or str(failure)
    except ValueError as failure:
        problem = str(failure).rstrip(".")
    raise errors.ConfigurationError(f"{path} cannot be read{consequence}: {problem}.")
