"""Least privilege: the granted scopes of each token, its recorded use, and the smallest sufficient set of scopes.

The workspace records which scopes a token needs: ``inferred_scopes`` while it is observed, and ``backfill_scopes`` from
earlier calls. ``autoscope_state`` tells whether the record is reliable:

===================  =================================================  ========
state                meaning                                            reliable
===================  =================================================  ========
``COMPLETED``        the observation and the record are complete        yes
``BACKFILLED``       the record was created from earlier calls          yes
``RUNNING``          the observation continues                          not yet
``API_NOT_COVERED``  the token calls an API without a scope             no
``USER_SELECTED``    a user selected the scopes; nothing is recorded    no
``DISABLED``         nothing is recorded                                no
===================  =================================================  ========

Two scopes are broader than they appear. ``all-apis``, like an empty list, grants all the owner's permissions.
``authentication`` can create a token with any scope, which amounts to the same.

Lists of scopes are processed as arrays of numbers, one for each pair of a row and a scope.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.frames import TEXT
from tokenkit.review import expressions, texts

ALL_APIS, AUTHENTICATION = "all-apis", "authentication"
DOCUMENTED = frozenset(
    (
        ALL_APIS,
        AUTHENTICATION,
        *("access-management", "alerts", "apps", "cleanrooms", "clusters", "command-execution", "dashboards"),
        *("dataquality", "files", "genie", "global-init-scripts", "instance-pools", "instance-profiles", "jobs"),
        *("libraries", "marketplace", "mlflow", "model-serving", "networking", "notifications", "pipelines"),
        *("postgres", "query-history", "scim", "secrets", "settings", "sharing", "sql", "tags", "unity-catalog"),
        *("vector-search", "workspace"),
    )
)
"""The scopes that Databricks documents. Newer servers accept others."""
NARROW, KEEP, WAIT, NONE = "narrow", "keep", "wait", "none"
EVERYTHING, BY_CREATING_TOKENS, LIMITED = "everything", "everything_by_creating_tokens", "limited"

_STATE = "AUTOSCOPE_STATE_"
KNOWN = [f"{_STATE}COMPLETED", f"{_STATE}BACKFILLED"]
_NOT_KNOWN = {
    f"{_STATE}RUNNING": (WAIT, "its use is still being recorded"),
    f"{_STATE}API_NOT_COVERED": (NONE, "it calls an API without a scope"),
    f"{_STATE}USER_SELECTED": (NONE, "a user selected its scopes, and its use is not recorded"),
    f"{_STATE}DISABLED": (NONE, "recording of its use is disabled"),
}
_COLUMNS = ["token_id", "owner", "owner_kind", "last_used_day", "autoscope_state", "scopes"]


def advise(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the granted, used and recommended scopes of each token.

    Args:
        tokens: The listing with ``status`` and owner columns.

    Returns:
        ``token_id, owner, owner_kind, last_used_day, autoscope_state, scopes`` as listed, and

        - ``reach``: the access that the granted scopes amount to: ``limited``, ``everything`` (``all-apis``, or no
          scopes), or ``everything_by_creating_tokens`` (``authentication``);
        - ``used_scopes``: inferred and backfilled scopes, as far as they are recorded;
        - ``unused_scopes``: granted and never used; missing if that is unknown;
        - ``new_scopes``: the smallest set that covers the use, never broader than the granted scopes; missing unless
          the advice is to narrow;
        - ``advice``: ``narrow``, ``keep``, ``wait`` (not known yet) or ``none`` (unknown, or not relevant);
          ``reason``: the reason for the advice.
    """
    sets = _Sets(tokens["scopes"], tokens["inferred_scopes"], tokens["backfill_scopes"])
    granted, inferred, backfilled = sets.keys
    used = _distinct(np.concatenate([inferred, backfilled]))
    unused = np.setdiff1d(granted, used, assume_unique=True)
    beyond = np.setdiff1d(used, granted, assume_unique=True)
    creates_tokens = expressions.holds(tokens["scopes"], AUTHENTICATION).to_numpy()
    has_everything = expressions.holds(tokens["scopes"], ALL_APIS).to_numpy() | ~sets.any(granted)
    uses_everything = sets.holds(used, ALL_APIS)
    covered = has_everything | ~sets.any(beyond)
    fits = uses_everything | ~(sets.any(unused) | sets.any(beyond))

    state, recorded = tokens["autoscope_state"], tokens["autoscope_state"].isin(KNOWN)
    case = _first(
        [
            (tokens["status"] != "active", NONE, "it expired"),
            *((state == name, advice, why) for name, (advice, why) in _NOT_KNOWN.items()),
            (~recorded, NONE, "its use is not recorded"),
            (~sets.any(used), NONE, "no use is recorded: ask its owner whether it is still needed"),
            (fits, KEEP, "it uses all its scopes"),
            (~covered, NONE, "its recorded use exceeds its scopes: ask its owner"),
            (
                sets.holds(used, AUTHENTICATION),
                NARROW,
                "it does not use all its scopes, but needs to create tokens of any scope",
            ),
            (creates_tokens, NARROW, "it does not use all its scopes, and can create a token of any scope"),
            (has_everything, NARROW, "it has all the owner's permissions and does not use them all"),
        ],
        otherwise=(NARROW, "it does not use all its scopes"),
    )
    reach = _first([(has_everything, EVERYTHING), (creates_tokens, BY_CREATING_TOKENS)], otherwise=(LIMITED,))
    narrow = (case[0] == NARROW).to_numpy(dtype=bool)
    return tokens[_COLUMNS].assign(
        reach=reach[0].array,
        used_scopes=sets.lists(used).array,
        unused_scopes=sets.lists(unused, known=recorded.to_numpy(dtype=bool)).array,
        new_scopes=sets.lists(used, known=narrow).array,
        advice=case[0].array,
        reason=case[1].array,
    )


def advised(tokens: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the result of ``advise``, with the workspace of each token, and the tokens with these columns."""
    found = advise(tokens)
    if "workspace" in tokens:
        found.insert(0, "workspace", tokens["workspace"])
    return found, tokens.join(found[found.columns.difference(tokens.columns)])


def _first(cases: Sequence[tuple[Any, ...]], *, otherwise: tuple[str, ...]) -> list[pd.Series[str]]:
    """Return the texts of the first case that is true in each row, as one column per text of a case."""
    # Selects positions and then takes texts, because numpy pads every text in an array to the longest.
    tests = [np.asarray(test, dtype=bool) for test, *_ in cases]
    chosen = np.select(tests, range(len(cases)), len(cases))
    columns = zip(*(texts for _, *texts in cases), otherwise, strict=True)
    return [pd.Series(pd.array(list(texts), dtype=TEXT).take(chosen)) for texts in columns]


def misspelt(given: Sequence[str], tokens: pd.DataFrame) -> dict[str, str]:
    """Return each unknown scope that is similar to a known one, with the known one.

    Args:
        given: The scopes to check.
        tokens: A listing, which may contain scopes that are not documented.
    """
    columns = [tokens[name] for name in ("scopes", "inferred_scopes", "backfill_scopes")]
    known = DOCUMENTED.union(*(scopes for column in columns for scopes in column.dropna()))
    near = {scope: difflib.get_close_matches(scope.lower(), known, n=1, cutoff=0.7) for scope in given}
    return {scope: matches[0] for scope, matches in near.items() if scope not in known and matches}


class _Sets:
    """Columns of lists as sorted arrays of distinct numbers: row * number of scopes + scope.

    Attributes:
        keys: One array per column.
    """

    def __init__(self, *columns: pd.Series[Any]) -> None:
        self._rows = len(columns[0])
        arrays = [texts.array(column, frames.TEXTS) for column in columns]
        names = [pc.list_flatten(array).drop_null() for array in arrays]
        self._names = pc.unique(pa.concat_arrays(names)).sort()
        self._count = max(len(self._names), 1)
        self.keys = [self._keys_of(array) for array in arrays]

    def _keys_of(self, array: pa.Array) -> Any:  # noqa: ANN401 - numpy's arrays
        codes = pc.index_in(pc.list_flatten(array), self._names)
        keys = pc.add(pc.multiply(pc.list_parent_indices(array), self._count), codes.cast(pa.int64()))
        return _distinct(keys.drop_null().to_numpy(zero_copy_only=False))

    def any(self, keys: Any) -> Any:  # noqa: ANN401
        """Return which rows have a non-empty set."""
        return np.bincount(keys // self._count, minlength=self._rows) > 0

    def holds(self, keys: Any, name: str) -> Any:  # noqa: ANN401
        """Return which rows have a scope in the set."""
        code = pc.index(self._names, name).as_py()
        return self.any(keys[keys % self._count == code])

    def lists(self, keys: Any, *, known: Any = None) -> pd.Series[Any]:  # noqa: ANN401
        """Return a set as a column of sorted lists, missing where the set is empty or unknown."""
        lengths = np.bincount(keys // self._count, minlength=self._rows)
        missing = lengths == 0 if known is None else ~known
        values = self._names.take(pa.array(keys % self._count))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return frames.lists(pa.ListArray.from_arrays(offsets, values, mask=pa.array(missing)))


def _distinct(keys: Any) -> Any:  # noqa: ANN401
    """Return sorted distinct numbers. The input is almost sorted, so sorting is faster than np.unique, which hashes."""
    ordered = np.sort(keys, kind="stable")
    return ordered[np.diff(ordered, prepend=-1) > 0]
