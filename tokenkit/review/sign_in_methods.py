"""How each identity signs in: with tokens, with OAuth or with a browser. Some identities no longer need their tokens.

There is no official list of sign-in actions. These are the known ones (source: recorded rows and public queries).
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from tokenkit import frames
from tokenkit.frames import TEXT
from tokenkit.review.audit_log import ACCOUNTS, TOKEN_LOGIN, Question, result_of

OAUTH_ACTIONS: Final = ("mintOAuthToken", "oidcTokenAuthorization", "workspaceInHouseOAuthClientAuthentication")
BROWSER_ACTIONS: Final = ("samlLogin", "login")

_COUNTS, _LAST = ("token_logins", "oauth_logins", "browser_logins"), ("last_token_login", "last_other_login")
_COMBINED = dict.fromkeys(_COUNTS, "sum") | dict.fromkeys(_LAST, "max")
METHODS = frames.schema(identity=str, **dict.fromkeys(_COUNTS, int), **dict.fromkeys(_LAST, frames.TIME))
_OTHER = (*OAUTH_ACTIONS, *BROWSER_ACTIONS)
_QUOTED = {name: ", ".join(f"'{action}'" for action in actions) for name, actions in
           {"oauth": OAUTH_ACTIONS, "browser": BROWSER_ACTIONS, "other": _OTHER}.items()}  # fmt: skip
_SQL = f"""\
WITH events AS (
{{events}} AND service_name = '{ACCOUNTS}' AND action_name IN ('{TOKEN_LOGIN}', {_QUOTED["other"]})
)
SELECT identity,
  count_if(action = '{TOKEN_LOGIN}') AS token_logins,
  count_if(action IN ({_QUOTED["oauth"]})) AS oauth_logins,
  count_if(action IN ({_QUOTED["browser"]})) AS browser_logins,
  max(CASE WHEN action = '{TOKEN_LOGIN}' THEN event_time END) AS last_token_login,
  max(CASE WHEN action <> '{TOKEN_LOGIN}' THEN event_time END) AS last_other_login
FROM events WHERE identity <> '' AND NOT is_internal
GROUP BY identity ORDER BY identity"""  # noqa: S608 - constants


def _of_events(events: pd.DataFrame) -> pd.DataFrame:
    is_sign_in = events["action"].isin([TOKEN_LOGIN, *_OTHER]) & (events["service"].fillna(ACCOUNTS) == ACCOUNTS)
    found = events[is_sign_in & ~events["is_internal"] & (events["identity"].fillna("") != "")]
    is_token = found["action"] == TOKEN_LOGIN
    counts = found.assign(
        token_logins=is_token,
        oauth_logins=found["action"].isin(OAUTH_ACTIONS),
        browser_logins=found["action"].isin(BROWSER_ACTIONS),
        last_token_login=found["time"].where(is_token),
        last_other_login=found["time"].where(~is_token),
    ).groupby("identity", as_index=False)
    return counts.agg(_COMBINED).astype({"identity": TEXT} | dict.fromkeys(_COUNTS, "Int64"))


def _of_result(result: pa.Table) -> pd.DataFrame:
    return frames.to_pandas(result_of(result, METHODS))


METHODS_OF_IDENTITIES = Question(_SQL, _of_result, _of_events)
"""The sign-ins of each identity by method."""


def by_owner(methods: pd.DataFrame, tokens: pd.DataFrame, service_principals: pd.DataFrame) -> pd.DataFrame:
    """Return how the owners of active tokens sign in. Owners who sign in only by other methods come first.

    Args:
        methods: The result of ``METHODS_OF_IDENTITIES``.
        tokens: The tokens with their owners, as from ``Workspace.tokens``.
        service_principals: The frame of ``Workspace.service_principals``. The log identifies them by application id.

    Returns:
        ``owner, owner_kind, tokens`` (active ones), then the columns of ``METHODS`` without ``identity``, and
        ``only_other``: the log has sign-ins of the owner, but none with a token. This suggests that the tokens are no
        longer needed, but does not prove it: programs may use them from another region.
    """
    application_ids = service_principals.dropna(subset="application_id").set_index("id")["application_id"]
    by_name = methods.assign(identity=methods["identity"].str.lower()).groupby("identity", as_index=False)
    active = tokens[tokens["status"] == "active"]
    # By id, because several service principals can have one display name.
    identity = active["owner_id"].map(application_ids).astype(TEXT).fillna(active["owner"]).str.lower()
    by_identity = active.assign(identity=identity).groupby(["identity", "owner", "owner_kind"], as_index=False)
    owners = by_identity.agg(tokens=("token_id", "size"))
    found = owners.merge(by_name.agg(_COMBINED), on="identity", how="left").drop(columns="identity")
    found[[*_COUNTS]] = found[[*_COUNTS]].astype("Int64").fillna(0)
    others = found["oauth_logins"] + found["browser_logins"]
    found = found.assign(only_other=((found["token_logins"] == 0) & (others > 0)).astype("boolean"))
    return found.sort_values(["only_other", "tokens", "owner"], ascending=[False, False, True], ignore_index=True)
