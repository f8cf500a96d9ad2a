"""Run ids: the whole id for a unique beginning or end of it, and the run of a part."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from tokenkit import errors
from tokenkit.core.wording import first_of


def whole(given: object, known: Iterable[str]) -> str:
    """Return the id of the run that a text names: a whole id, or the beginning or end of only one.

    The parts of a fleet's run count as that run, unless the text has the dot of a part's own id. Otherwise ``2`` would
    name the second part of a run.

    Args:
        given: The text.
        known: The ids of all runs, and of parts of runs.

    Returns:
        The whole id, or the text itself if it names no run.

    Raises:
        UsageError: Several runs match, or the id is not a text.
    """
    if not isinstance(given, str):
        raise errors.UsageError(f"run_id must be a string, not {type(given).__name__}.")
    ids = {*known}
    runs = {run_id.partition(".")[0] for run_id in ids}
    if given in ids | runs or not given:
        return given
    named = ids - runs if "." in given else runs
    matches = {run_id for run_id in named if run_id.startswith(given) or run_id.endswith(given)}
    if len(matches) > 1:
        named_first = first_of(sorted(matches, reverse=True), 3)  # the newest
        raise errors.UsageError(f"{len(matches)} runs match {given!r}: {named_first}. Give more characters.")
    return next(iter(matches), given)


def whole_ids(ids: pd.Series[str]) -> pd.Series[str]:
    """Return the run of each id, also of RUN.1, the part of a workspace."""
    return ids.str.replace(r"\..*", "", regex=True)
