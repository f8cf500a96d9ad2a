"""The ways in which tokens are told apart, each counted in milliseconds however many there are.

A facet has choices (the statuses, the owners, the rules), and says for each token which of them it has: one, several or
none. It is two arrays, rows and codes, so that a choice is a mask and all counts are one ``bincount``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit.frames import TEXT, TEXTS
from tokenkit.review.texts import array

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Span:
    """A range of whole days, both ends included; None is open. So 90.4 days are within 30 to 90."""

    low: int | None = None
    high: int | None = None


class Facet:
    """One way to tell tokens apart.

    Args:
        title: What it is called on the screen.
        choices: What there is to choose from.
        rows: The positions of tokens that have a choice; one that has several stands in it several times.
        codes: Which choice it is, as long as ``rows``.
        size: How many tokens there are.
        ranked: Whether choices are offered by how many tokens have them, not in their own order.
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[str],
        rows: Positions,
        codes: Positions,
        *,
        size: int,
        ranked: bool = False,
    ) -> None:
        self.title = title
        self.choices = tuple(choices)
        self.ranked = ranked
        self._rows, self._codes, self._size = rows, codes, size
        self._code_of = {choice: code for code, choice in enumerate(self.choices)}

    def mask(self, choice: Any) -> Mask:  # noqa: ANN401 - days also take a Span
        """Return which tokens have a choice; none where nobody has it."""
        kept = np.zeros(self._size, dtype=bool)
        kept[self._rows[self._codes == self._code_of.get(choice, -1)]] = True
        return kept

    def counts(self, mask: Mask) -> dict[str, int]:
        """Return how many of the tokens in a mask have each choice, in the order in which they are offered."""
        found = np.bincount(self._codes[mask[self._rows]], minlength=len(self.choices))
        order = np.argsort(-found, kind="stable") if self.ranked else np.arange(len(self.choices))
        return {self.choices[code]: int(found[code]) for code in order}


class DayFacet(Facet):
    """Days, parted into spans; any other ``Span`` can be asked for as well.

    Args:
        title: What it is called on the screen.
        days: Days of each token, absent where there are none.
        spans: The choices and what they mean; None means absent.
    """

    def __init__(self, title: str, days: pd.Series[Any], spans: dict[str, Span | None]) -> None:
        numbers = np.floor(days.astype("Float64").to_numpy(dtype=float, na_value=np.nan))
        self._days = numbers
        codes = np.full(len(numbers), -1)
        for code, span in enumerate(spans.values()):
            codes[np.isnan(numbers) if span is None else self._within(span)] = code
        rows = np.flatnonzero(codes >= 0)
        super().__init__(title, list(spans), rows, codes[rows], size=len(numbers))

    def mask(self, choice: str | Span) -> Mask:
        """Return which tokens have a choice, or lie in a span."""
        return self._within(choice) if isinstance(choice, Span) else super().mask(choice)

    def _within(self, span: Span) -> Mask:
        low, high = (-np.inf if span.low is None else span.low), (np.inf if span.high is None else span.high)
        return (self._days >= low) & (self._days <= high)  # what is absent compares as False


def of_column(title: str, column: pd.Series[Any], *, order: Sequence[str] = ()) -> Facet:
    """Return the facet of a column in which a token has one value.

    Args:
        title: What it is called on the screen.
        column: The column.
        order: The values that come first, in this order; without it the most frequent do.
    """
    codes, values = pd.factorize(column.astype(TEXT))
    names = [str(value) for value in values]
    if order:
        wanted = [name for name in order if name in names] + sorted(name for name in names if name not in order)
        codes = np.append(np.array([wanted.index(name) for name in names], dtype=np.intp), -1)[codes]
        names = wanted
    rows = np.flatnonzero(codes >= 0)
    return Facet(title, names, rows, codes[rows], size=len(column), ranked=not order)


def of_lists(title: str, column: pd.Series[Any]) -> Facet:
    """Return the facet of a column of lists; text is read as words, as CSV has them."""
    if pd.api.types.infer_dtype(column, skipna=True) == "string":  # of a saved listing
        column = column.astype(TEXT).str.split().astype(object)
    lists = array(column, TEXTS)
    return _of_pairs(title, pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists), size=len(column))


def of_findings(title: str, findings: pd.DataFrame, *, size: int) -> Facet:
    """Return the facet of the rules that found something about each token.

    Args:
        title: What it is called on the screen.
        findings: A frame with ``rule``, and ``row``: the position of the token that it is about, or -1.
        size: How many tokens there are.
    """
    found = findings[findings["row"] >= 0]
    return _of_pairs(title, found["row"].to_numpy(), pa.array(found["rule"].astype(TEXT)), size=size)


def _of_pairs(title: str, rows: npt.NDArray[Any], values: pa.Array, *, size: int) -> Facet:
    coded = pc.dictionary_encode(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)
    codes, names = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()
    pairs = rows.astype(np.int64) * (len(names) + 1) + codes
    _, first = np.unique(pairs[codes >= 0], return_index=True)  # a scope that stands twice counts once
    kept = np.flatnonzero(codes >= 0)[first]
    columns = rows[kept].astype(np.intp), codes[kept].astype(np.intp)
    return Facet(title, names, *columns, size=size, ranked=True)
