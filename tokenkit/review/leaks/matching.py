"""Which tokens of a listing leaked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.markup import element
from tokenkit.printable import printable
from tokenkit.review.texts import redacted

_TOKEN_COLUMNS = [
    "workspace",
    "token_id",
    "owner",
    "owner_kind",
    "owner_active",
    "scopes",
    "status",
    "last_used_day",
    "effective_end",
    "comment",
]
_WHERE = ["place", "commit", "url", "source"]
_SHOWN_ROWS = 20


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Leaks:
    """Which tokens of a workspace leaked. It holds no value.

    Attributes:
        tokens: A row for each token that leaked: whose it is, what it may do, when it was last used, and the ``places``
            where its value was seen. ``reading`` says of what its id is the hash.
        sightings: A row for each place where a value was seen: ``place, commit, token_id, reading, kind, url,
            source``; ``token_id`` is missing for a value of no token in the listing. ``kind`` is ``access_token``,
            ``oauth_secret`` (of a service principal: no token, and revoked elsewhere) or ``unknown``.
        not_comparable: A row for each place where a report has no value to compare: ``place, problem, commit, url,
            source``; ``problem`` is ``redacted``, ``hashed`` or ``missing``. **While it has rows, nothing found is not
            an all-clear.**
        looked_for: How many different values were looked for.
        unmatched: How many of them are of no token in the listing. **That does not make them harmless**: another
            workspace may have issued them.
        name: Of which workspace.
        plan: Makes a revocation plan of tokens.
    """

    tokens: pd.DataFrame
    sightings: pd.DataFrame
    not_comparable: pd.DataFrame
    looked_for: int
    unmatched: int
    name: str
    plan: Callable[..., Any] | None = field(default=None)

    def __repr__(self) -> str:
        return f"<Leaks on {self.name}: {self.counted()}>"

    def _repr_html_(self) -> str:
        shown = self.tokens.head(_SHOWN_ROWS)
        shown = shown.assign(
            **{str(name): shown[name].dt.strftime("%Y-%m-%d") for name in shown.select_dtypes("datetimetz")}
        )
        more = f"<p>… and {len(self.tokens) - _SHOWN_ROWS:,} more: <code>.tokens</code></p>"
        shown = shown.assign(**{str(name): shown[name].str.join(" ") for name in shown if shown[name].dtype == object})
        texts = {
            str(name): shown[name].map(printable, na_action="ignore")
            for name in shown
            if pd.api.types.is_string_dtype(shown[name].dtype)
        }
        table = shown.assign(**texts).to_html(index=False, border=0, escape=True, na_rep="")
        notes = "".join(
            element("p", heading)
            + element("ul", *(element("li", location) for location in locations[:_SHOWN_ROWS]))
            + (f"<p>… and {len(locations) - _SHOWN_ROWS:,} more</p>" if len(locations) > _SHOWN_ROWS else "")
            for heading, locations in self.notes()
        )
        return (
            f"{element('p', element('b', f'Leaks on {self.name}'), f': {self.counted()}')}{table}"
            f"{more if len(self.tokens) > _SHOWN_ROWS else ''}{notes}"
        )

    def counted(self) -> str:
        """Return the outcome in words."""
        found = self.looked_for - self.unmatched
        said = [f"of {self.looked_for:,} value{'' if self.looked_for == 1 else 's'}, {found:,} in the listing"]
        if self.unmatched:
            said.append(f"{self.unmatched:,} not in it, which does not mean dead")
        if len(self.not_comparable):
            said.append(f"{len(self.not_comparable):,} that cannot be compared")
        return ", ".join(said)

    def notes(self) -> list[tuple[str, list[str]]]:
        """Return what ``tokens`` does not show, each with its locations: what matched nothing or cannot be compared."""
        unmatched = self.sightings[self.sightings["token_id"].isna()]
        is_oauth = unmatched["kind"] == "oauth_secret"
        notes = [
            (
                unmatched[~is_oauth],
                "This value matched no token here. It may still be valid in another workspace:",
                "These values matched no token here. They may still be valid in another workspace:",
            ),
            (
                unmatched[is_oauth],
                "This is an OAuth secret of a service principal (dose…), not a token. Delete it in the account:",
                "These are OAuth secrets of service principals (dose…), not tokens. Delete them in the account:",
            ),
            (
                self.not_comparable,
                "This cannot be compared, because the report does not hold the value. It is not an all-clear:",
                "These cannot be compared, because the report does not hold the values. It is not an all-clear:",
            ),
        ]
        return [(one if len(rows) == 1 else many, _locations(rows)) for rows, one, many in notes if len(rows)]

    def revoke(self, **settings: Any) -> Any:  # noqa: ANN401 - the plan's kind is the maker's
        """Return a plan to revoke the tokens that leaked. It changes nothing: look at ``preview()``, then ``apply()``.

        Args:
            settings: As for ``Workspace.revoke``: ``reason="in the repository since May"``, ``include_own=True``.
        """
        if self.plan is None:
            raise errors.UsageError(
                "These were looked for in a saved listing. ws.revoke(leaks.tokens) plans on a workspace."
            )
        return self.plan(self.tokens, **{"reason": "leaked"} | settings)


def _locations(rows: pd.DataFrame) -> list[str]:
    """Return a line for each row: where to look."""
    shown = [name for name in ("problem", "commit", "source", "url") if name in rows]
    return [
        row["place"] + (f" ({', '.join(known)})" if (known := [row[name] for name in shown if row[name]]) else "")
        for row in rows[["place", *shown]].fillna("").to_dict("records")
    ]


def matched(
    sightings: pd.DataFrame, tokens: pd.DataFrame, *, name: str, plan: Callable[..., Any] | None = None
) -> Leaks:
    """Return which tokens of a listing were seen.

    Args:
        sightings: What ``from_values``, ``from_file`` or ``from_report`` returned.
        tokens: A listing with owners and derived columns, of a workspace or of a fleet.
        name: Of which workspace.
        plan: Makes a revocation plan of tokens.
    """
    hits = sightings[["value", "token_id", "reading"]].merge(tokens["token_id"])
    seen = sightings.loc[sightings["problem"].isna(), ["value", "kind", *_WHERE]].drop_duplicates()
    seen = seen.merge(hits.drop_duplicates(), on="value", how="left")
    by_token = seen.dropna(subset="token_id").drop_duplicates(["token_id", "place"]).groupby("token_id", sort=False)
    places = by_token["place"].agg(list).astype(object)
    columns = [name for name in _TOKEN_COLUMNS if name in tokens]  # the workspace, of a fleet's
    leaked = tokens.loc[tokens["token_id"].isin(places.index), columns].reset_index(drop=True)
    hidden = sightings.loc[sightings["problem"].notna(), ["place", "problem", "commit", "url", "source"]]
    return Leaks(
        tokens=leaked.assign(
            comment=redacted(leaked["comment"]),
            places=places.reindex(leaked["token_id"]).array,
            reading=by_token["reading"].first().reindex(leaked["token_id"]).array,
        ),
        sightings=seen[["place", "commit", "token_id", "reading", "kind", "url", "source"]],
        not_comparable=hidden.reset_index(drop=True),
        looked_for=seen["value"].nunique(),
        unmatched=seen.loc[seen["token_id"].isna(), "value"].nunique(),
        name=name,
        plan=plan,
    )
