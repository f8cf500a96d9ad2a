"""Facets to filter tokens by. Counting takes milliseconds, even for many tokens.

A facet has choices (the statuses, the owners, the rules), and a token has one, several or none of them. A facet is two
arrays, rows and codes, so that a choice is a mask and all counts are one ``bincount``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit.frames import TEXT, TEXTS
from tokenkit.output.export import listed
from tokenkit.review.texts import array

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Span:
    """A range of whole days, including both ends; None is unbounded. For example, 90.4 days are within 30 to 90."""

    low: int | None = None
    high: int | None = None


Choice = str | Span | Collection[str]
"""What a filter chooses of a facet: a choice, any of several, or a range of days."""


class Facet:
    """One facet.

    Args:
        title: The displayed name.
        choices: The choices.
        rows: The positions of tokens with a choice; a token with several choices is repeated.
        codes: The index of the choice, for each of ``rows``.
        size: The number of tokens.
        ranked: Whether to sort choices by their number of tokens, instead of their own order.
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

    def mask(self, choices: Choice) -> Mask:
        """Return the mask of the tokens with any of these choices."""
        wanted = (choices,) if isinstance(choices, str | Span) else choices
        codes = [self._code_of[choice] for choice in wanted if choice in self._code_of]
        kept = np.zeros(self._size, dtype=bool)
        kept[self._rows[np.isin(self._codes, codes)]] = True
        return kept

    def counts(self, mask: Mask) -> dict[str, int]:
        """Return the number of tokens in a mask for each choice, in the displayed order."""
        found = np.bincount(self._codes[mask[self._rows]], minlength=len(self.choices))
        order = np.argsort(-found, kind="stable") if self.ranked else np.arange(len(self.choices))
        return {self.choices[code]: int(found[code]) for code in order}


class DayFacet(Facet):
    """A facet of days, divided into spans. ``mask`` accepts any other ``Span`` too.

    Args:
        title: The displayed name.
        days: The days of each token, possibly absent.
        spans: The choices and their spans; None means absent.
    """

    def __init__(self, title: str, days: pd.Series[Any], spans: dict[str, Span | None]) -> None:
        numbers = np.floor(days.astype("Float64").to_numpy(dtype=float, na_value=np.nan))
        self._days = numbers
        codes = np.full(len(numbers), -1)
        for code, span in enumerate(spans.values()):
            codes[np.isnan(numbers) if span is None else self._within(span)] = code
        rows = np.flatnonzero(codes >= 0)
        super().__init__(title, list(spans), rows, codes[rows], size=len(numbers))

    def mask(self, choices: Choice) -> Mask:
        """Return the mask of the tokens with any of these choices, or in a span."""
        return self._within(choices) if isinstance(choices, Span) else super().mask(choices)

    def _within(self, span: Span) -> Mask:
        low, high = (-np.inf if span.low is None else span.low), (np.inf if span.high is None else span.high)
        return (self._days >= low) & (self._days <= high)  # absent values compare as False


def of_column(title: str, column: pd.Series[Any], *, order: Sequence[str] = ()) -> Facet:
    """Return the facet of a column with one value per token.

    Args:
        title: The displayed name.
        column: The column.
        order: The values to list first, in this order. By default, the most frequent values are first.
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
    """Return the facet of a column of lists. Texts are split as in CSV files."""
    if pd.api.types.infer_dtype(column, skipna=True) == "string":  # from a saved listing
        column = column.astype(object).map(listed, na_action="ignore")
    lists = array(column, TEXTS)
    return _of_pairs(title, pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists), size=len(column))


def of_findings(title: str, findings: pd.DataFrame, *, size: int) -> Facet:
    """Return the facet of the audit rules with findings about each token.

    Args:
        title: The displayed name.
        findings: A frame with ``rule``, and ``row``: the position of the token, or -1.
        size: The number of tokens.
    """
    found = findings[findings["row"] >= 0]
    return _of_pairs(title, found["row"].to_numpy(), pa.array(found["rule"].astype(TEXT)), size=size)


def of_masks(title: str, masks: Mapping[str, Mask], *, size: int) -> Facet:
    """Return the facet whose choices are masks, in their order; a token can be in several."""
    rows = [np.flatnonzero(mask) for mask in masks.values()]
    codes = [np.full(len(found), code) for code, found in enumerate(rows)]
    nothing = [np.empty(0, dtype=np.intp)]
    return Facet(title, list(masks), np.concatenate(nothing + rows), np.concatenate(nothing + codes), size=size)


def _of_pairs(title: str, rows: npt.NDArray[Any], values: pa.Array, *, size: int) -> Facet:
    coded = pc.dictionary_encode(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)
    codes, names = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()
    pairs = rows.astype(np.int64) * (len(names) + 1) + codes
    _, first = np.unique(pairs[codes >= 0], return_index=True)  # a duplicate scope counts once
    kept = np.flatnonzero(codes >= 0)[first]
    columns = rows[kept].astype(np.intp), codes[kept].astype(np.intp)
    return Facet(title, names, *columns, size=size, ranked=True)
