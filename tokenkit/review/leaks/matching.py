"""The tokens of a listing that leaked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import of, pluralize, shown_of
from tokenkit.review.leaks.values import OAUTH_SECRET
from tokenkit.review.preview import SHOWN_ROWS, Preview, table, visible
from tokenkit.review.texts import redacted

_TOKEN_COLUMNS = [
    *("workspace", "token_id", "owner", "owner_kind", "owner_active"),
    *("scopes", "status", "last_used_day", "effective_end", "comment"),
]
_LOCATION_COLUMNS = ["location", "commit", "url", "source"]
_BEHIND = ["matched_as", "scopes"]  # in the frame, not in the short view


_RECORDED = frames.schema(
    token_id=str, run_id=str, finished_at=frames.TIME, workspace=str, owner=str, scopes=frames.TEXTS, comment=str
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Leaks:
    """The tokens of a workspace that leaked. It holds no value.

    Attributes:
        tokens: A row for each leaked token, with its owner, scopes and last use. ``locations`` lists where its value
            occurred, and ``matched_as`` says which part of the value has the token's id as its hash (``HASH_INPUTS``).
        occurrences: A row for each occurrence of a value: ``location, commit, token_id, matched_as, kind, url,
            source``. ``token_id`` is missing for a value of no listed token. ``kind`` is ``access_token``,
            ``oauth_secret`` (of a service principal; it is not a token and is revoked elsewhere) or ``unknown``. If an
            account was searched, ``secret_id`` identifies an OAuth secret of that account.
        not_comparable: A row for each finding of a report without a value to compare: ``location, problem, commit,
            url, source``. ``problem`` is ``redacted``, ``hashed``, ``missing``, or ``not_scanned`` where the scanner
            reports that it failed. **If this frame has rows, an empty result is not an all-clear.**
        looked_for: The number of distinct values that were compared.
        unmatched: The number of those that match no listed token. **They may still be valid**: another workspace may
            have issued them. OAuth secrets and values in ``revoked`` are not among them.
        revoked: The occurrences of values whose tokens the journal on this computer has as revoked: ``token_id, run_id,
            finished_at, workspace, location``, with the index of ``occurrences``. The workspace can be any.
        rows: What commands show: the rows of ``tokens``, then one with the status ``revoked`` for each token in
            ``revoked`` that was of the workspace, or of one of the fleet, as the journal has it.
        name: The workspace.
        lines: The number of lines without a recognizable value that were compared as values and matched no token.
            Some values have an unknown form.
        oauth_secrets: The account's OAuth secrets that leaked: ``application_id, display_name, secret_id, status,
            expire_time, location``. A secret that is missing here may still belong to the account, because the input
            of its ``secret_hash`` is not documented. None if no account was searched.
        unmatched_secrets: The number of the compared values that match no listed token because they are OAuth secrets.
        signs_in_with: The ids of the tokens that the session may sign in with. A revocation leaves these out by
            default.
    """

    tokens: pd.DataFrame
    occurrences: pd.DataFrame
    not_comparable: pd.DataFrame
    looked_for: int
    unmatched: int
    revoked: pd.DataFrame
    rows: pd.DataFrame
    name: str
    lines: int
    oauth_secrets: pd.DataFrame | None
    unmatched_secrets: int
    signs_in_with: Collection[str]
    _plan: Callable[..., Any] | None

    def __repr__(self) -> str:
        return f"<Leaks on {self.name}: {self.headline()}>"

    @property
    def is_all_clear(self) -> bool:
        """Whether there was no value at all: none was compared, and none cannot be compared."""
        return not self.looked_for and not len(self.not_comparable)

    def __str__(self) -> str:
        return repr(self.in_short())

    def in_short(self) -> Preview:
        """Return a short view of the leaked tokens, notes about the other values, and the counts."""
        closing = []
        for heading, locations in self.notes():
            shown = shown_of(len(locations), SHOWN_ROWS)
            more = [f"… and {len(locations) - shown:,} more"] if len(locations) > shown else []
            closing += [heading, *(f"- {location}" for location in locations[:shown]), *more]
        rows = self.tokens.drop(columns=_BEHIND, errors="ignore")
        return Preview(
            title=visible(f"Leaks on {self.name}"),
            tables=(table(rows),) if len(rows) else (),
            closing=tuple(map(visible, [*closing, f"{self.headline()[:1].upper()}{self.headline()[1:]}."])),
        )

    def _repr_html_(self) -> str:
        return self.in_short()._repr_html_()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - as IPython calls it
        printer.text(str(self))

    def headline(self) -> str:
        """Return the result as one line of text."""
        if self.is_all_clear:
            compared = f"; {pluralize(self.lines, 'line')} compared as values matched no token here"
            return f"no value found{compared if self.lines else ''}"
        revoked = self.revoked["token_id"].nunique()
        matched_values = self.looked_for - self.unmatched - self.unmatched_secrets - revoked
        found = len(self.occurrences)
        times = f" ({pluralize(found, 'occurrence')})" if found > self.looked_for else ""
        parts = [f"{matched_values:,} of {pluralize(self.looked_for, 'value')}{times} matched a token here"]
        if revoked:
            parts.append(f"{revoked:,} {of(revoked, 'belongs to a token', 'belong to tokens')} that tokenkit revoked")
        if self.unmatched:
            parts.append(f"{self.unmatched:,} matched none and may still be valid in another workspace")
        if self.unmatched_secrets:
            kind = "is an OAuth secret" if self.unmatched_secrets == 1 else "are OAuth secrets"
            parts.append(f"{self.unmatched_secrets:,} {kind}")
        if len(self.not_comparable):
            parts.append(f"{pluralize(len(self.not_comparable), 'finding')} cannot be compared")
        return ", ".join(parts)

    def notes(self) -> list[tuple[str, list[str]]]:
        """Return headings and locations of the values that ``tokens`` does not show: unmatched or not comparable."""
        unmatched = self.occurrences[self.occurrences["token_id"].isna()].drop(self.revoked.index)
        is_oauth = unmatched["kind"] == OAUTH_SECRET
        is_not_scanned = self.not_comparable["problem"] == "not_scanned"
        account_note = ""
        if self.oauth_secrets is not None:
            is_unknown = unmatched["secret_id"].isna()
            unmatched, is_oauth = unmatched[is_unknown], is_oauth[is_unknown]
            account_note = " It matched no hash that the account lists; the input of those hashes is not documented"
        notes = [
            (
                unmatched[~is_oauth],
                "This value matched no token here. It may still be valid in another workspace:",
                "These values matched no token here. They may still be valid in another workspace:",
            ),
            (
                unmatched[is_oauth],
                "This is an OAuth secret of a service principal (dose…), not a token."
                f"{account_note and f'{account_note}.'} Delete it in the account:",
                "These are OAuth secrets of service principals (dose…), not tokens."
                f"{account_note and f'{account_note}.'} Delete them in the account:",
            ),
            (
                self.not_comparable[is_not_scanned],
                "The scanner reports that it failed here. It is not an all-clear:",
                "The scanner reports that it failed here. It is not an all-clear:",
            ),
            (
                self.not_comparable[~is_not_scanned],
                "This finding cannot be compared because its value is not in the report. It is not an all-clear:",
                "These findings cannot be compared because their values are not in the report. It is not an all-clear:",
            ),
        ]
        shown = [(one if len(rows) == 1 else many, _locations(rows)) for rows, one, many in notes if len(rows)]
        shown += [self._revocation(str(run_id), rows) for run_id, rows in self.revoked.groupby("run_id", sort=False)]
        if used := [token_id for token_id in self.tokens["token_id"] if token_id in self.signs_in_with]:
            how = spelled("include_own=True")
            shown.insert(
                0, (f"This session signs in with this token. Use another credential, and revoke it with {how}:", used)
            )
        if self.oauth_secrets is None or not len(self.oauth_secrets):
            return shown
        lines = [
            f"{row['location']}: {row['display_name']} ({row['application_id']}), "
            f"secret {row['secret_id']}, {row['status']}"
            for row in self.oauth_secrets.fillna("").to_dict("records")
        ]
        return [("OAuth secrets of these service principals leaked. Delete them in the account:", lines), *shown]

    def _revocation(self, run_id: str, rows: pd.DataFrame) -> tuple[str, list[str]]:
        """Return the heading and the locations of values whose tokens a run revoked, perhaps in another workspace."""
        workspace, day = rows["workspace"].iloc[0], f"{rows['finished_at'].iloc[0]:%Y-%m-%d}"
        is_shown = rows["token_id"].isin(self.rows["token_id"]).all()
        where = "" if is_shown else f" of {workspace}"
        which = of(rows["token_id"].nunique(), "the token of this value", "the tokens of these values")
        return f"Run {run_id}{where} revoked {which} on {day}:", _locations(rows)

    def revoke(self, **settings: Any) -> Any:  # noqa: ANN401 - a plan of a workspace or a fleet
        """Return a plan to revoke the leaked tokens. It changes nothing: review ``preview()``, then ``apply()``.

        Args:
            settings: As for ``Workspace.revoke``: ``reason="in the repository since May"``, ``include_own=True``.
        """
        if self._plan is None:
            raise errors.UsageError("These leaks are from a saved listing. Use ws.revoke(leaks.tokens) instead.")
        return self._plan(self.tokens, **{"reason": "leaked"} | settings)


def _locations(rows: pd.DataFrame) -> list[str]:
    """Return a line of text for the location of each row."""
    shown = [name for name in ("problem", "commit", "source", "url") if name in rows]
    return [
        row["location"] + (f" ({', '.join(known)})" if (known := [row[name] for name in shown if row[name]]) else "")
        for row in rows[["location", *shown]].fillna("").to_dict("records")
    ]


def matched(
    occurrences: pd.DataFrame,
    tokens: pd.DataFrame,
    *,
    name: str,
    plan: Callable[..., Any] | None = None,
    oauth_secrets: pd.DataFrame | None = None,
    signs_in_with: Collection[str] = (),
    revoked: pd.DataFrame | None = None,
    workspaces: Collection[str] = (),
) -> Leaks:
    """Return the tokens of a listing whose values occurred.

    Args:
        occurrences: The result of ``from_values``, ``from_file`` or ``from_report``.
        tokens: A listing with owners and derived columns, of a workspace or of a fleet.
        name: The workspace.
        plan: Returns a revocation plan for a frame of tokens.
        oauth_secrets: The secrets that an account lists: the columns of ``accounts.OAUTH_SECRETS``.
        signs_in_with: The possible ids of the tokens that the session signs in with.
        revoked: The tokens of any workspace that the journal has as revoked, with the columns of ``Workspace.journal``.
            The id is the hash of the value, so no other workspace has another token with it.
        workspaces: The workspaces of a fleet, as its listing and ``revoked`` name them.
    """
    hits = occurrences[["value", "token_id", "matched_as"]].merge(tokens["token_id"])
    seen = occurrences.loc[occurrences["problem"].isna(), ["value", "kind", *_LOCATION_COLUMNS]].drop_duplicates()
    seen = seen.merge(hits.drop_duplicates(), on="value", how="left")
    if revoked is None:
        revoked = frames.frame([], _RECORDED)
    past = occurrences[["value", "token_id", "matched_as"]].merge(revoked[_RECORDED.names])
    past = past.drop_duplicates("value", keep="last")
    past = past[~past["value"].isin(hits["value"])]
    guesses = seen[seen["kind"].isna() & seen["token_id"].isna() & ~seen["value"].isin(past["value"])]
    seen = seen.drop(guesses.index).reset_index(drop=True)
    seen["kind"] = seen["kind"].fillna("unknown")
    by_token = seen.dropna(subset="token_id").drop_duplicates(["token_id", "location"]).groupby("token_id", sort=False)
    locations = by_token["location"].agg(list).astype(object)
    columns = [name for name in _TOKEN_COLUMNS if name in tokens]  # workspace: only in a fleet's listing
    leaked = tokens.loc[tokens["token_id"].isin(locations.index), columns].reset_index(drop=True)
    secrets = None if oauth_secrets is None else _leaked_secrets(occurrences, oauth_secrets)
    shown = ["location", "commit", "token_id", "matched_as", "kind", "url", "source"]
    if secrets is not None:
        seen = seen.merge(secrets[["value", "secret_id"]].drop_duplicates(), on="value", how="left")
        secrets, shown = secrets.drop(columns="value").drop_duplicates(ignore_index=True), [*shown, "secret_id"]
    unmatched = seen[seen["token_id"].isna() & ~seen["value"].isin(past["value"])]
    of_past = seen[["value", "location"]].reset_index().merge(past, on="value").set_index("index").rename_axis(None)
    of_rows = of_past[of_past["workspace"].isin([*(workspaces or [name])])]
    is_oauth = unmatched["kind"] == OAUTH_SECRET
    hidden = occurrences.loc[occurrences["problem"].notna(), ["location", "problem", "commit", "url", "source"]]
    found = leaked.assign(
        comment=redacted(leaked["comment"]),
        locations=locations.reindex(leaked["token_id"]).array,
        matched_as=by_token["matched_as"].first().reindex(leaked["token_id"]).array,
    )
    return Leaks(
        tokens=found,
        rows=frames.concat([found, _rows_of_revoked(of_rows)])[[*found]],
        occurrences=seen[shown],
        revoked=of_past[["token_id", "run_id", "finished_at", "workspace", "location"]],
        not_comparable=hidden.reset_index(drop=True),
        looked_for=seen["value"].nunique(),
        unmatched=unmatched.loc[~is_oauth, "value"].nunique(),
        unmatched_secrets=unmatched.loc[is_oauth, "value"].nunique(),
        name=name,
        lines=len(guesses),
        _plan=plan,
        signs_in_with=signs_in_with,
        oauth_secrets=secrets,
    )


def _rows_of_revoked(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each token of the occurrences of revoked ones."""
    locations = found.groupby("token_id")["location"].agg(lambda texts: [*dict.fromkeys(texts)]).astype(object)
    rows = found.drop_duplicates("token_id", ignore_index=True)
    return rows.assign(
        status="revoked", comment=redacted(rows["comment"]), locations=locations.reindex(rows["token_id"]).array
    )


def _leaked_secrets(occurrences: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return the OAuth secrets of an account that leaked, and where. A hash cannot match by chance."""
    seen = occurrences.loc[occurrences["kind"] == OAUTH_SECRET, ["location", "value", "token_id"]].dropna()
    hashes = listed.assign(token_id=listed["secret_hash"].str.lower())
    columns = ["application_id", "display_name", "secret_id", "status", "expire_time", "location", "value"]
    return hashes.merge(seen.drop_duplicates(), on="token_id")[columns]
