"""The table ``[defaults]`` of ``config.toml``: what commands do without an option.

::

    [defaults]
    profile = "prod"                 # for commands that only read; a change names its workspace
    output = "table"                 # or json, csv
    columns = ["owner", "comment"]   # of the tables of `list`, also in a pipe; JSON and CSV have all

    [defaults.thresholds]            # of `audit` and `report`
    "unused.idle_days" = 45

An option of the command line, and the environment, have priority.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tokenkit import errors
from tokenkit.commands.returned import columns_of
from tokenkit.core import config
from tokenkit.core.home import home
from tokenkit.review.columns import named

OUTPUTS = ("table", "json", "csv")
_OF_LIST = columns_of("fleet list", is_plan=False)  # the workspace is ignored for one


@dataclass(frozen=True)
class Defaults:
    """What commands do without an option.

    Attributes:
        profile: The workspace of commands that only read; empty for that of the environment.
        output: The output format.
        columns: The columns of the tables of ``list``, also as TSV in a pipe, by their names or headings. JSON and CSV
            have all columns.
        thresholds: The thresholds of the audit, as the option has them.
    """

    profile: str = ""
    output: str = OUTPUTS[0]
    columns: list[str] = field(default_factory=list)
    thresholds: list[str] = field(default_factory=list)


def where(folder: Path | None = None) -> str:
    """Return the table and its file, for messages."""
    return config.place(folder or home(), config.DEFAULTS)


def read(folder: Path | None = None) -> Defaults:
    """Return the defaults of the file.

    Raises:
        ConfigurationError: The file cannot be read, or a default is unknown or invalid.
    """
    folder = folder or home()
    given, place = dict(config.read_table(folder, config.DEFAULTS)), where(folder)
    thresholds = given.pop("thresholds", {})
    if not isinstance(thresholds, dict):
        raise errors.ConfigurationError(f'thresholds of {place} must be a table: "unused.idle_days" = 45.')
    columns = given.pop("columns", [])
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise errors.ConfigurationError(f"columns of {place} must be a list of texts.")
    for name in columns:
        if not named(name, _OF_LIST):
            hint = errors.did_you_mean(name, _OF_LIST)
            raise errors.ConfigurationError(f"columns of {place} has an unknown column {name!r}. {hint}")
    for name, value in given.items():
        if not isinstance(value, str):
            raise errors.ConfigurationError(f"{name} of {place} must be a text, not {type(value).__name__}.")
    if given.get("output", OUTPUTS[0]) not in OUTPUTS:
        raise errors.ConfigurationError(f"output of {place} must be {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}.")
    return Defaults(**given, columns=columns, thresholds=[*_thresholds(thresholds)])


def _thresholds(table: dict[str, object], rule: str = "") -> list[str]:
    """Return thresholds as options: the key ``unused.idle_days``, with or without quotes."""
    found = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _thresholds(value, f"{rule}{name}.")
        else:
            found.append(f"{rule}{name}={','.join(map(str, value)) if isinstance(value, list) else value}")
    return found
