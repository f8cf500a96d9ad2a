"""The state of the explorer: matching tokens, order, page and selection.

This module does not depend on ipywidgets. All state is in arrays over all tokens, so that a change of a filter,
including the counts of all choices, takes milliseconds for 100,000 tokens. **The selection is a set of keys**: token
ids, with the workspace if there are several. Filters, sorting, pages and a new listing move rows, but never change the
selected tokens.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.output import export
from tokenkit.review import lifecycle
from tokenkit.review.usage import of_tokens
from tokenkit.review.values import SEVERITIES
from tokenkit.widgets import facets
from tokenkit.widgets.facets import Choice, Facet, Mask, Positions, Span
from tokenkit.widgets.paging import Paged

TEXT_FILTER, QUICK_FILTER = "text", "quick"
DANGER = "danger"
"""The order by the severities of a token's findings."""
USED_BY = "used_by"
"""The order by the last sign-in in the audit log, and the facet of the programs."""
UNUSED_DAYS, SOON_DAYS = 60, 30
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
AGE_SPANS: dict[str, Span | None] = {
    "under 30 days": Span(None, 29),
    "30 to 89 days": Span(30, 89),
    "90 to 364 days": Span(90, 364),
    "1 to 2 years": Span(365, 729),
    "2 years or more": Span(730, None),
}
_SEARCHED = ("comment", "owner", "created_by_username", "token_id")
_SEPARATOR = " "  # neither ids nor hosts contain it
NO_FINDINGS = pd.DataFrame({name: pd.Series(dtype=frames.TEXT) for name in ("rule", "severity", "token_id")})


def keys_of(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the unique keys of the tokens of a frame: their ids, with the workspace if the frame has that column.

    The same id in two workspaces means two tokens, which are selected independently.
    """
    ids = rows["token_id"].astype(frames.TEXT)
    return ids + _SEPARATOR + rows["workspace"].astype(frames.TEXT) if "workspace" in rows.columns else ids


def holds(condition: pd.Series[Any]) -> Mask:
    """Return the mask of a condition, in which a missing value counts as False."""
    return condition.astype("boolean").fillna(value=False).to_numpy(dtype=bool)


def _array(keys: pd.Series[str]) -> pa.Array:
    return pa.array(keys, pa.large_string())


@dataclass(frozen=True)
class Known:
    """What is known beside a listing and its findings.

    Attributes:
        caller: The name of the signed-in identity; empty if it is unknown.
        scheduled: The revocations that are scheduled: ``token_id, run_id, due``.
        usage: What used each token; None without evidence.
        unfinished: The runs of which something remains, the newest first: ``run_id, remaining``.
    """

    caller: str = ""
    scheduled: pd.DataFrame | None = None
    usage: pd.DataFrame | None = None
    unfinished: pd.DataFrame | None = None


NOTHING_KNOWN = Known()


class Model(Paged):
    """The model of an explorer.

    Args:
        tokens: A listing that ``listing.completed`` returned.
        findings: The audit findings: a frame with at least ``token_id`` and ``rule``.
        page_size: Number of rows per page.
        known: What else is known.

    Attributes:
        tokens: The listing.
        scheduled: The scheduled revocations, by token id: ``run_id, due``.
        usage: What used each token in the audit log; None without evidence.
        evidence: Its row for each token of the listing; None without evidence.
        findings: The audit findings, with ``row``: the position of the token, or -1 if it is not listed.
        is_audited: Whether there was an audit; without one, no token has findings.
        facets: The facets, by name.
        filters: The current choice of each facet; ``text`` is the search text.
        keys: The unique keys of the tokens, see ``keys_of``.
        selected_rows: The positions of the selected tokens, in the order of the listing.
        sorted_by: The column to sort by, and whether descending; None is the order of the listing.
    """

    def __init__(
        self,
        tokens: pd.DataFrame,
        findings: pd.DataFrame | None = None,
        *,
        page_size: int = 50,
        known: Known = NOTHING_KNOWN,
    ) -> None:
        super().__init__(page_size)
        self.filters: dict[str, Choice] = {}
        self._selection: frozenset[str] = frozenset()
        self.sorted_by: tuple[str, bool] | None = None
        self._load(tokens, findings, known)

    def _load(self, tokens: pd.DataFrame, findings: pd.DataFrame | None, known: Known) -> None:
        self.is_audited = findings is not None
        findings = NO_FINDINGS if findings is None else findings
        if "workspace" in tokens.columns and "workspace" not in findings.columns:
            findings = findings.merge(tokens[["token_id", "workspace"]], on="token_id")
        self.tokens, self.keys = tokens, keys_of(tokens)
        place = pc.index_in(_array(keys_of(findings)), value_set=_array(self.keys))
        self.findings = findings.assign(row=place.fill_null(-1).to_numpy(zero_copy_only=False))
        if known.scheduled is None:
            self.scheduled = _NOTHING_SCHEDULED
        else:
            self.scheduled = known.scheduled.drop_duplicates("token_id", keep="last").set_index("token_id")
        self.usage = known.usage
        self.evidence = None if known.usage is None else of_tokens(tokens["token_id"], known.usage)
        days_left = lifecycle.days_left(tokens)
        self.facets: dict[str, Facet] = {
            QUICK_FILTER: facets.of_masks("Show", self._quick_masks(known.caller, days_left), size=len(tokens)),
            "status": facets.of_column("Status", tokens["status"], order=("active", "expired")),
            "owner_kind": facets.of_column("Owner kind", tokens["owner_kind"]),
            "owner": facets.of_column("Owner", tokens["owner"]),
            "rule": facets.of_findings("Finding", self.findings, size=len(tokens)),
            "scope": facets.of_lists("Scope", tokens["scopes"]),
            "idle": facets.DayFacet("Idle for", tokens["idle_days"], IDLE_SPANS),
            "expiry": facets.DayFacet("Effective end", days_left, EXPIRY_SPANS),
            "age": facets.DayFacet("Age", tokens["age_days"], AGE_SPANS),
        }
        if "workspace" in tokens.columns:
            self.facets["workspace"] = facets.of_column("Workspace", tokens["workspace"])
        if self.evidence is not None:
            self.facets[USED_BY] = facets.of_lists("Used by", self.evidence["clients"])
        texts = [pa.array(tokens[name].astype(frames.TEXT)) for name in _SEARCHED]
        self._searched = [pc.utf8_lower(text) for text in texts]
        self._masks: dict[str, Mask] = {}
        for name, value in self.filters.items():
            self._masks[name] = self._mask(name, value)
        self._find_selected()
        self._arrange()
        self._apply_filters()

    def _quick_masks(self, caller: str, days_left: pd.Series[float]) -> dict[str, Mask]:
        tokens = self.tokens
        is_active = holds(tokens["status"] == "active")
        is_severe = np.zeros(len(tokens), dtype=bool)
        if "severity" in self.findings:
            rows = self.findings["row"].to_numpy()[holds(self.findings["severity"] == SEVERITIES[0])]
            is_severe[rows[rows >= 0]] = True
        has_no_owner = holds(tokens["owner_kind"] == "deleted")
        if "owner_active" in tokens:
            # As text, because a saved listing has any type.
            has_no_owner |= holds(tokens["owner_active"].astype(frames.TEXT).str.lower() == "false")
        return {
            "High risk": is_severe,
            "Never expires": is_active & tokens["expiry_time"].isna().to_numpy(),
            "Inactive owner": has_no_owner,
            f"Unused {UNUSED_DAYS}+ days": is_active & holds(tokens["idle_days"] >= UNUSED_DAYS),
            "Service principals": holds(tokens["owner_kind"] == "service_principal"),
            f"Ends within {SOON_DAYS} days": is_active & holds(days_left.between(0, SOON_DAYS)),
            "Scheduled": tokens["token_id"].isin(self.scheduled.index).to_numpy(),
            "Mine": holds(tokens["owner"] == caller) & (caller != ""),
        }

    def replace(self, tokens: pd.DataFrame, findings: pd.DataFrame | None = None, known: Known = NOTHING_KNOWN) -> int:
        """Replace the listing, and return the number of selected tokens that it no longer has.

        Filters and order do not change.
        """
        self._load(tokens, findings, known)
        missing = self.selection - set(self.keys.tolist())
        self.selection -= missing
        return len(missing)

    # Filters

    def narrow(self, **choices: Choice | None) -> None:
        """Set filters, and go to the first page. None, an empty text or no choice removes a filter."""
        for name, value in choices.items():
            self.filters.pop(name, None)
            self._masks.pop(name, None)
            if value:
                self.filters[name] = value
                self._masks[name] = self._mask(name, value)
        self.page = 0
        self._apply_filters()

    def widen(self) -> None:
        """Remove all filters."""
        self.narrow(**dict.fromkeys(self.filters))

    def counts(self, name: str) -> dict[str, int]:
        """Return the number of matching tokens for each choice of a facet, given all other filters."""
        return self.facets[name].counts(self._matches_without(name))

    def matching_without(self, name: str) -> int:
        """Return the number of tokens that match all other filters."""
        return int(np.count_nonzero(self._matches_without(name)))

    def _matches_without(self, name: str) -> Mask:
        return (self._misses - ~self._masks[name]) == 0 if name in self._masks else self._misses == 0

    def total(self, name: str) -> dict[str, int]:
        """Return the number of all tokens for each choice of a facet."""
        return self.facets[name].counts(np.ones(len(self.tokens), dtype=bool))

    def _mask(self, name: str, value: Choice) -> Mask:
        if name != TEXT_FILTER:
            return self.facets[name].mask(value)
        found = np.zeros(len(self.tokens), dtype=bool)
        for column in self._searched:
            hits = pc.match_substring(column, str(value).lower()).fill_null(False)  # noqa: FBT003  # Arrow's signature
            found |= hits.to_numpy(zero_copy_only=False)
        return found

    # Order and pages

    def sort(self, column: str | None, *, descending: bool = False) -> None:
        """Sort by a column, with absent values last, and go to the first page. None is the order of the listing."""
        self.sorted_by = None if column is None else (column, descending)
        self.page = 0
        self._arrange()
        self._apply_filters()

    def _arrange(self) -> None:
        name, descending = self.sorted_by or ("", False)
        if name == DANGER:
            danger = self._danger()
            self._order = np.argsort(-danger if descending else danger, kind="stable")
            return
        if name == USED_BY and self.evidence is not None:
            values = self.evidence["last_login"]
        elif name in self.tokens.columns:
            values = self.tokens[name]
        else:
            self._order = np.arange(len(self.tokens))
            return
        if values.dtype == object:
            values = export.cell_text(values)
        if pd.api.types.is_string_dtype(values.dtype):
            values = values.astype(frames.TEXT).str.lower()
        order = pc.array_sort_indices(
            pa.array(values, from_pandas=True), order="descending" if descending else "ascending"
        )
        self._order = order.to_numpy().astype(np.intp)

    def _danger(self) -> Positions:
        """Return a number for each token that is higher for more, and for more severe, findings."""
        if "severity" not in self.findings:
            return np.zeros(len(self.tokens), dtype=np.intp)
        ranks = self.findings["severity"].map({name: rank for rank, name in enumerate(SEVERITIES)})
        is_known = holds((self.findings["row"] >= 0) & ranks.notna())
        weights = np.array([1_000_000, 1_000, 1])[ranks.to_numpy(dtype=float)[is_known].astype(np.intp)]
        rows = self.findings["row"].to_numpy()[is_known]
        return np.bincount(rows, weights=weights, minlength=len(self.tokens)).astype(np.intp)

    def _apply_filters(self) -> None:
        misses = np.zeros(len(self.tokens), dtype=np.int8)  # the number of filters that exclude each token
        for mask in self._masks.values():
            misses += ~mask
        self._misses = misses
        self._matching: Positions = self._order[misses[self._order] == 0]
        self.turn(self.page)

    @property
    def matching(self) -> int:
        """The number of tokens that match the filters."""
        return len(self._matching)

    def rows_on_page(self) -> Positions:
        """Return the positions of the tokens on the current page."""
        return self._matching[self.place]

    def on_page(self) -> pd.DataFrame:
        """Return the rows of the current page."""
        return self.tokens.iloc[self.rows_on_page()]

    def keys_on_page(self) -> list[str]:
        """Return the keys of the rows of the current page."""
        return self.keys.iloc[self.rows_on_page()].tolist()

    @property
    def filtered(self) -> pd.DataFrame:
        """The tokens that match the filters, in the displayed order."""
        return self.tokens.iloc[self._matching].reset_index(drop=True)

    # Selection

    @property
    def selection(self) -> frozenset[str]:
        """The keys of the selected tokens; ``selected_rows`` are their current positions."""
        return self._selection

    @selection.setter
    def selection(self, keys: Collection[str]) -> None:
        self._selection = frozenset(keys)
        self._find_selected()

    def _find_selected(self) -> None:
        chosen = pc.is_in(_array(self.keys), value_set=pa.array(list(self._selection), pa.large_string()))
        self.selected_rows: Positions = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))

    def choose(self, chosen: Collection[str], among: Collection[str]) -> None:
        """Set the selection among some tokens, such as those of a page. The selection of others does not change."""
        self.selection = (self._selection - set(among)) | set(chosen)

    def choose_matching(self) -> None:
        """Add all tokens that match the filters, on all pages, to the selection."""
        self.selection = self._selection | set(self.keys.iloc[self._matching].tolist())

    def choose_none(self) -> None:
        """Clear the selection."""
        self.selection = ()

    @property
    def hidden(self) -> int:
        """The number of selected tokens that the filters hide."""
        return len(self._selection) - int(np.count_nonzero(self._misses[self.selected_rows] == 0))

    @property
    def selected(self) -> pd.DataFrame:
        """The selected tokens, in the order of the listing, regardless of the filters."""
        return self.tokens.iloc[self.selected_rows].reset_index(drop=True)

    def selected_keys(self) -> list[str]:
        """Return the keys of the selected tokens, in the order of the listing."""
        return self.keys.iloc[self.selected_rows].tolist()

    # Findings

    def row_of(self, key: str) -> int | None:
        """Return the position of a token; None if it is not listed."""
        found = np.flatnonzero((self.keys == key).to_numpy(dtype=bool))
        return int(found[0]) if len(found) else None

    def findings_of(self, rows: Positions) -> pd.DataFrame:
        """Return the audit findings about tokens, by their positions."""
        return self.findings[np.isin(self.findings["row"].to_numpy(), rows)]

    @property
    def with_findings(self) -> int:
        """The number of tokens with audit findings."""
        rows = self.findings["row"].to_numpy()
        return len(np.unique(rows[rows >= 0]))


_NOTHING_SCHEDULED = pd.DataFrame(
    {"run_id": pd.Series(dtype=frames.TEXT), "due": pd.Series(dtype="datetime64[ms, UTC]")},
    index=pd.Index([], name="token_id", dtype=object),
)
