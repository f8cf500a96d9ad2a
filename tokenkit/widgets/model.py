"""What the explorer knows: which tokens match, in what order, on which page, and which are selected.

There is no widget in here. Everything is an array over all tokens, so a change of filter, with the counts of every
choice, takes milliseconds for a hundred thousand. **The selection is a set of keys, which are token ids**, with the
workspace where there are several: filters, sorting, pages and a fresh listing move rows, and nothing that moves rows
can change who is selected.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, export, frames
from tokenkit.review import lifecycle
from tokenkit.widgets import facets
from tokenkit.widgets.facets import Facet, Mask, Positions, Span

TEXT_FILTER = "text"
LARGEST_PAGE = 500
IDLE_SPANS: dict[str, Span | None] = {
    "0 to 6 days": Span(None, 6),
    "7 to 29 days": Span(7, 29),
    "30 to 59 days": Span(30, 59),
    "60 to 89 days": Span(60, 89),
    "90 days or more": Span(90, None),
}
EXPIRY_SPANS: dict[str, Span | None] = {
    "expired": Span(None, -1),
    "in 0 to 6 days": Span(0, 6),
    "in 7 to 29 days": Span(7, 29),
    "in 30 to 89 days": Span(30, 89),
    "in 90 to 364 days": Span(90, 364),
    "in a year or later": Span(365, None),
    "never": None,
}
_SEARCHED = ("comment", "owner", "created_by_username", "token_id")
_SEPARATOR = " "  # neither an id nor a host has one
NO_FINDINGS = pd.DataFrame({name: pd.Series(dtype=frames.TEXT) for name in ("rule", "severity", "token_id")})


def keys_of(rows: pd.DataFrame) -> pd.Series[str]:
    """Return what tells the tokens of a frame apart: their ids, with the workspace where the frame has that column.

    The same id in two workspaces is two tokens, of which one may be selected and the other not.
    """
    ids = rows["token_id"].astype(frames.TEXT)
    return ids + _SEPARATOR + rows["workspace"].astype(frames.TEXT) if "workspace" in rows.columns else ids


def _array(keys: pd.Series[str]) -> pa.Array:
    return pa.array(keys, pa.large_string())


def completed(tokens: pd.DataFrame, *, now: pd.Timestamp) -> pd.DataFrame:
    """Return a listing with every column that the explorer reads; what it lacks is derived, or absent.

    Args:
        tokens: A frame with the column ``token_id``: of ``Workspace.tokens`` or ``token_management.list``, or saved as
            CSV, Excel or Parquet and read back.
        now: The moment that ages are counted to, where the listing does not have them.

    Raises:
        UsageError: There is no column ``token_id``.
    """
    if "token_id" not in tokens.columns:
        raise errors.UsageError("A listing to explore needs the column token_id, as ws.tokens() has it.")
    tokens = tokens.reset_index(drop=True)
    absent = frames.frame([], frames.TOKENS).reindex(tokens.index)
    tokens = tokens.assign(**{name: absent[name] for name in absent.columns if name not in tokens.columns})
    for field in frames.TOKENS:
        if field.type == frames.TIME and not isinstance(tokens[field.name].dtype, pd.DatetimeTZDtype):
            try:
                tokens[field.name] = _moments(tokens[field.name])
            except pa.ArrowInvalid as problem:
                message = f"{field.name} holds what is no time in ISO 8601: {str(problem).splitlines()[0]}"
            else:
                continue
            raise errors.UsageError(message)
    if "idle_days" not in tokens.columns or "status" not in tokens.columns:
        tokens = lifecycle.with_lifecycle(tokens, now=now)
    if "owner" not in tokens.columns:
        tokens = tokens.assign(owner=tokens["created_by_username"], owner_kind="unknown")
    return tokens


def _moments(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return times that were saved as text, as epoch milliseconds, or in another unit."""
    # Arrow and not pd.to_datetime, which in pandas 2.2 counts nanoseconds, where the year 9999 does not fit.
    saved = pa.array(column, from_pandas=True)
    if pa.types.is_integer(saved.type) or pa.types.is_floating(saved.type):
        name = str(column.name)
        records = [{name: each} for each in saved.cast(pa.int64()).to_pylist()]
        return frames.frame(records, pa.schema([(name, frames.TIME)]))[name]
    return frames.to_pandas(pa.table({"time": saved.cast(frames.TIME)}))["time"]


class Model:
    """A listing being explored.

    Args:
        tokens: A listing, as ``completed`` returns it.
        findings: What an audit found: a frame with ``token_id`` and ``rule`` at least.
        page_size: How many rows a page has.

    Attributes:
        tokens: The listing.
        findings: What an audit found, with ``row``: the position of the token that it is about, -1 if it is not there.
        facets: The ways to filter, by name.
        filters: What is chosen, by facet; ``text`` is what is searched for.
        keys: What tells its tokens apart, as ``keys_of`` makes it.
        selected_rows: The positions of the selected tokens, in the listing's own order.
        page: Which page is shown, from 0.
        sorted_by: The column of the order and whether it is turned round; None is the listing's own order.
    """

    def __init__(self, tokens: pd.DataFrame, findings: pd.DataFrame | None = None, *, page_size: int = 50) -> None:
        self.filters: dict[str, str | Span] = {}
        self._selection: frozenset[str] = frozenset()
        self._searched: list[pa.Array] = []
        self.sorted_by: tuple[str, bool] | None = None
        self.page = 0
        self.page_size = min(page_size, LARGEST_PAGE)
        self._load(tokens, NO_FINDINGS if findings is None else findings)

    def _load(self, tokens: pd.DataFrame, findings: pd.DataFrame) -> None:
        if "workspace" in tokens.columns and "workspace" not in findings.columns:
            findings = findings.merge(tokens[["token_id", "workspace"]], on="token_id")
        self.tokens, self.keys = tokens, keys_of(tokens)
        known = pc.index_in(_array(keys_of(findings)), value_set=_array(self.keys))
        self.findings = findings.assign(row=known.fill_null(-1).to_numpy(zero_copy_only=False))
        self.facets: dict[str, Facet] = {
            "status": facets.of_column("Status", tokens["status"], order=("active", "expired")),
            "owner_kind": facets.of_column("Kind of owner", tokens["owner_kind"]),
            "owner": facets.of_column("Owner", tokens["owner"]),
            "rule": facets.of_findings("Rule found", self.findings, size=len(tokens)),
            "scope": facets.of_lists("Scope", tokens["scopes"]),
            "idle": facets.DayFacet("Idle for", tokens["idle_days"], IDLE_SPANS),
            "expiry": facets.DayFacet("Ends by expiry or disuse", lifecycle.days_left(tokens), EXPIRY_SPANS),
        }
        if "workspace" in tokens.columns:
            self.facets["workspace"] = facets.of_column("Workspace", tokens["workspace"])
        self._searched = []
        self._masks: dict[str, Mask] = {}
        for name, value in self.filters.items():
            self._masks[name] = self._mask(name, value)
        self._find_selected()
        self._arrange()
        self._look()

    def replace(self, tokens: pd.DataFrame, findings: pd.DataFrame | None = None) -> int:
        """Take a fresh listing; filters, order and selection stay. Return how many selected tokens are gone from it."""
        self._load(tokens, NO_FINDINGS if findings is None else findings)
        gone = self.selection - set(self.keys.tolist())
        self.selection -= gone
        return len(gone)

    # Filters

    def narrow(self, **choices: str | Span | None) -> None:
        """Set filters; None, or an empty text, takes one away. The first page is shown."""
        for name, value in choices.items():
            self.filters.pop(name, None)
            self._masks.pop(name, None)
            if value is not None and value != "":
                self.filters[name] = value
                self._masks[name] = self._mask(name, value)
        self.page = 0
        self._look()

    def widen(self) -> None:
        """Take every filter away."""
        self.narrow(**dict.fromkeys(self.filters))

    def counts(self, name: str) -> dict[str, int]:
        """Return how many tokens each choice of a facet would leave, given all other filters."""
        mask = self._misses == 0
        if name in self._masks:
            mask = (self._misses - ~self._masks[name]) == 0
        return self.facets[name].counts(mask)

    def _mask(self, name: str, value: str | Span) -> Mask:
        if name != TEXT_FILTER:
            return self.facets[name].mask(value)
        if not self._searched:  # the first search makes what all search
            texts = [pa.array(self.tokens[each].astype(frames.TEXT)) for each in _SEARCHED]
            self._searched = [pc.utf8_lower(text) for text in texts]
        found = np.zeros(len(self.tokens), dtype=bool)
        for column in self._searched:
            hits = pc.match_substring(column, str(value).lower()).fill_null(False)  # noqa: FBT003 - Arrow's signature
            found |= hits.to_numpy(zero_copy_only=False)
        return found

    # Order and pages

    def sort(self, column: str | None, *, descending: bool = False) -> None:
        """Order by a column, what is absent at the end; None is the listing's own order. The first page is shown."""
        self.sorted_by = None if column is None else (column, descending)
        self.page = 0
        self._arrange()
        self._look()

    def _arrange(self) -> None:
        if self.sorted_by is None or self.sorted_by[0] not in self.tokens.columns:
            self._order = np.arange(len(self.tokens))
            return
        name, descending = self.sorted_by
        values = self.tokens[name]
        if values.dtype == object:
            values = export.words(values)
        if pd.api.types.is_string_dtype(values.dtype):
            values = values.astype(frames.TEXT).str.lower()
        order = pc.array_sort_indices(
            pa.array(values, from_pandas=True), order="descending" if descending else "ascending"
        )
        self._order = order.to_numpy().astype(np.intp)

    def _look(self) -> None:
        misses = np.zeros(len(self.tokens), dtype=np.int8)  # how many filters each token fails
        for mask in self._masks.values():
            misses += ~mask
        self._misses = misses
        self._matching: Positions = self._order[misses[self._order] == 0]
        self.page = min(self.page, self.pages - 1)

    @property
    def matching(self) -> int:
        """How many tokens the filters keep."""
        return len(self._matching)

    @property
    def pages(self) -> int:
        """How many pages there are; an empty listing has one."""
        return max(1, -(-len(self._matching) // self.page_size))

    def turn(self, page: int) -> None:
        """Show a page, the nearest there is."""
        self.page = max(0, min(page, self.pages - 1))

    def rows_on_page(self) -> Positions:
        """Return the positions of the tokens of the page that is shown."""
        start = self.page * self.page_size
        return self._matching[start : start + self.page_size]

    def on_page(self) -> pd.DataFrame:
        """Return the rows of the page that is shown."""
        return self.tokens.iloc[self.rows_on_page()]

    def keys_on_page(self) -> list[str]:
        """Return the keys of the rows of the page that is shown."""
        return self.keys.iloc[self.rows_on_page()].tolist()

    @property
    def filtered(self) -> pd.DataFrame:
        """The tokens that the filters keep, in the order that is shown."""
        return self.tokens.iloc[self._matching].reset_index(drop=True)

    # Selection

    @property
    def selection(self) -> frozenset[str]:
        """The keys of the selected tokens, which is what counts; ``selected_rows`` are where they are now."""
        return self._selection

    @selection.setter
    def selection(self, keys: Collection[str]) -> None:
        self._selection = frozenset(keys)
        self._find_selected()

    def _find_selected(self) -> None:
        chosen = pc.is_in(_array(self.keys), value_set=pa.array(list(self._selection), pa.large_string()))
        self.selected_rows: Positions = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))

    def choose(self, chosen: Collection[str], among: Collection[str]) -> None:
        """Make these the selected ones among some tokens, such as those of a page; the others stay as they are."""
        self.selection = (self._selection - set(among)) | set(chosen)

    def choose_matching(self) -> None:
        """Select every token that the filters keep, on all pages, beside what is selected already."""
        self.selection = self._selection | set(self.keys.iloc[self._matching].tolist())

    def choose_none(self) -> None:
        """Select nothing."""
        self.selection = ()

    @property
    def hidden(self) -> int:
        """How many selected tokens the filters do not show."""
        return len(self._selection) - int(np.count_nonzero(self._misses[self.selected_rows] == 0))

    @property
    def selected(self) -> pd.DataFrame:
        """The selected tokens, in the listing's own order, whatever the filters are."""
        return self.tokens.iloc[self.selected_rows].reset_index(drop=True)

    def selected_keys(self) -> list[str]:
        """Return the keys of the selected tokens, in the listing's own order."""
        return self.keys.iloc[self.selected_rows].tolist()

    # Findings

    def findings_of(self, rows: Positions) -> pd.DataFrame:
        """Return what the audit found about some tokens, by their positions."""
        return self.findings[np.isin(self.findings["row"].to_numpy(), rows)]

    @property
    def with_findings(self) -> int:
        """How many tokens the audit found something about."""
        rows = self.findings["row"].to_numpy()
        return len(np.unique(rows[rows >= 0]))
