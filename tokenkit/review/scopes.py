"""Least privilege: what each token may do, what it is known to have done, and the smallest set of scopes between.

The workspace records which scopes a token needs: ``inferred_scopes`` while it is watched, ``backfill_scopes`` from
calls before that. ``autoscope_state`` says how far the record can be trusted, and only two of its values can:

===================  =================================================  ========
state                what it means                                      known
===================  =================================================  ========
``COMPLETED``        it was watched, and the record is whole            yes
``BACKFILLED``       the record was made from its earlier calls         yes
``RUNNING``          it is being watched: more may come                 not yet
``API_NOT_COVERED``  it calls something that no scope stands for        no
``USER_SELECTED``    somebody chose its scopes, nothing is recorded     no
``DISABLED``         nothing is recorded                                no
===================  =================================================  ========

Two scopes are not what they seem. ``all-apis``, like no scopes at all, is everything that the owner may do.
``authentication`` can mint a token of any scope, and so amounts to the same.

Lists of scopes are worked on as sets of numbers, one for each pair of a row and a scope, and not one by one.
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
"""Scopes that Databricks documents. There are others: a workspace takes what a newer server knows."""
NARROW, KEEP, WAIT, NONE = "narrow", "keep", "wait", "none"
EVERYTHING, BY_MINTING, LIMITED = "everything", "everything, by minting tokens", "limited"

_STATE = "AUTOSCOPE_STATE_"
KNOWN = [f"{_STATE}COMPLETED", f"{_STATE}BACKFILLED"]
_NOT_KNOWN = {
    f"{_STATE}RUNNING": (WAIT, "its use is still being recorded"),
    f"{_STATE}API_NOT_COVERED": (NONE, "it calls something that no scope stands for"),
    f"{_STATE}USER_SELECTED": (NONE, "its scopes were chosen by somebody, and its use is not recorded"),
    f"{_STATE}DISABLED": (NONE, "recording its use is switched off"),
}
_COLUMNS = ["token_id", "owner", "owner_kind", "last_used_day", "autoscope_state", "scopes"]


def advise(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return what each token may do, what it does, and what it should be allowed to.

    Args:
        tokens: The listing with ``status`` and its owners.

    Returns:
        ``token_id, owner, owner_kind, last_used_day, autoscope_state, scopes`` as listed, and

        - ``reach``: what the granted scopes amount to: ``limited``, ``everything`` (``all-apis``, or none were chosen),
          or ``everything, by minting tokens`` (``authentication``);
        - ``used_scopes``: inferred and backfilled together, as far as they are recorded;
        - ``unused_scopes``: granted and never used; missing where that is not known;
        - ``new_scopes``: the smallest set that covers the use, where the advice is to narrow; missing elsewhere, and
          never wider than what is granted;
        - ``advice``: ``narrow``, ``keep``, ``wait`` (not known yet), ``none`` (it cannot be known, or does not matter);
          ``reason``: why.
    """
    sets = _Sets(tokens["scopes"], tokens["inferred_scopes"], tokens["backfill_scopes"])
    granted, inferred, backfilled = sets.keys
    used = _distinct(np.concatenate([inferred, backfilled]))
    unused = np.setdiff1d(granted, used, assume_unique=True)
    beyond = np.setdiff1d(used, granted, assume_unique=True)
    mints = expressions.holds(tokens["scopes"], AUTHENTICATION).to_numpy()
    may_all = expressions.holds(tokens["scopes"], ALL_APIS).to_numpy() | ~sets.any(granted)
    uses_all = sets.holds(used, ALL_APIS)
    covered = may_all | ~sets.any(beyond)
    fits = uses_all | ~(sets.any(unused) | sets.any(beyond))

    state, recorded = tokens["autoscope_state"], tokens["autoscope_state"].isin(KNOWN)
    case = _first(
        [
            (tokens["status"] != "active", NONE, "it expired"),
            *((state == each, advice, why) for each, (advice, why) in _NOT_KNOWN.items()),
            (~recorded, NONE, "its use is not recorded"),
            (~sets.any(used), NONE, "no use of it is recorded: rather than narrow it, ask whether it is needed"),
            (fits, KEEP, "it uses all that it may"),
            (~covered, NONE, "it is recorded to use more than it may: ask its owner"),
            (
                sets.holds(used, AUTHENTICATION),
                NARROW,
                "it uses less than it may, yet needs to mint tokens of any scope",
            ),
            (mints, NARROW, "it uses less than it may, and could mint itself a token of any scope"),
            (may_all, NARROW, "it may do all that its owner may, and uses less"),
        ],
        otherwise=(NARROW, "it uses less than it may"),
    )
    reach = _first([(may_all, EVERYTHING), (mints, BY_MINTING)], otherwise=(LIMITED,))
    narrow = (case[0] == NARROW).to_numpy(dtype=bool)
    return tokens[_COLUMNS].assign(
        reach=reach[0].array,
        used_scopes=sets.lists(used).array,
        unused_scopes=sets.lists(unused, known=recorded.to_numpy(dtype=bool)).array,
        new_scopes=sets.lists(used, known=narrow).array,
        advice=case[0].array,
        reason=case[1].array,
    )


def advised(tokens: pd.DataFrame, where: str | None) -> pd.DataFrame:
    """Return ``advise`` of the tokens for which an expression holds, over its columns and theirs."""
    found = advise(tokens)
    if not where:
        return found
    both = tokens.join(found[found.columns.difference(tokens.columns)])
    return found.loc[expressions.where(both, where).index]


def _first(cases: Sequence[tuple[Any, ...]], *, otherwise: tuple[str, ...]) -> list[pd.Series[str]]:
    """Return the words of the first case that holds in each row, a column for each word of a case."""
    # Numbers are chosen, and words taken by them: an array of words is as wide as the longest everywhere.
    tests = [np.asarray(test, dtype=bool) for test, *_ in cases]
    chosen = np.select(tests, range(len(cases)), len(cases))
    columns = zip(*(words for _, *words in cases), otherwise, strict=True)
    return [pd.Series(pd.array(list(words), dtype=TEXT).take(chosen)) for words in columns]


def misspelt(given: Sequence[str], tokens: pd.DataFrame) -> dict[str, str]:
    """Return each scope that nobody knows and that is nearly one that is known, with that one.

    Args:
        given: Scopes as somebody typed them.
        tokens: A listing, which may know scopes that are not documented.
    """
    columns = [tokens[name] for name in ("scopes", "inferred_scopes", "backfill_scopes")]
    known = DOCUMENTED.union(*(scopes for column in columns for scopes in column.dropna()))
    near = {scope: difflib.get_close_matches(scope.lower(), known, n=1, cutoff=0.7) for scope in given}
    return {scope: matches[0] for scope, matches in near.items() if scope not in known and matches}


class _Sets:
    """Columns of lists as sorted arrays of numbers without repetition: row * how many scopes there are + scope.

    Attributes:
        keys: One array for each column.
    """

    def __init__(self, *columns: pd.Series[Any]) -> None:
        self._rows = len(columns[0])
        arrays = [texts.array(column, frames.TEXTS) for column in columns]
        words = [pc.list_flatten(array).drop_null() for array in arrays]
        self._names = pc.unique(pa.concat_arrays(words)).sort()
        self._count = max(len(self._names), 1)
        self.keys = [self._keys_of(array) for array in arrays]

    def _keys_of(self, array: pa.Array) -> Any:  # noqa: ANN401 - numpy's arrays
        codes = pc.index_in(pc.list_flatten(array), self._names)
        keys = pc.add(pc.multiply(pc.list_parent_indices(array), self._count), codes.cast(pa.int64()))
        return _distinct(keys.drop_null().to_numpy(zero_copy_only=False))

    def any(self, keys: Any) -> Any:  # noqa: ANN401
        """Return which rows have something in a set."""
        return np.bincount(keys // self._count, minlength=self._rows) > 0

    def holds(self, keys: Any, name: str) -> Any:  # noqa: ANN401
        """Return which rows have this scope in a set."""
        code = pc.index(self._names, name).as_py()
        return self.any(keys[keys % self._count == code])

    def lists(self, keys: Any, *, known: Any = None) -> pd.Series[Any]:  # noqa: ANN401
        """Return a set as a column of lists in alphabetical order; missing where it is empty or not known."""
        lengths = np.bincount(keys // self._count, minlength=self._rows)
        missing = lengths == 0 if known is None else ~known
        values = self._names.take(pa.array(keys % self._count))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return frames.lists(pa.ListArray.from_arrays(offsets, values, mask=pa.array(missing)))


def _distinct(keys: Any) -> Any:  # noqa: ANN401
    """Return numbers in order, each once; they come nearly in order, so sorting beats the hashing of np.unique."""
    ordered = np.sort(keys, kind="stable")
    return ordered[np.diff(ordered, prepend=-1) > 0]
