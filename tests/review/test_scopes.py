"""The granted and the used scopes of tokens, and advice where the record suffices."""

import pandas as pd
import pytest

from tests.conftest import NOW
from tokenkit import errors, frames
from tokenkit.review import lifecycle, owners, scopes

NOBODY = {"users": frames.frame([], frames.USERS), "service_principals": frames.frame([], frames.SERVICE_PRINCIPALS)}


def listing(*documents):
    rows = [{"token_id": str(n)} | document for n, document in enumerate(documents)]
    aged = lifecycle.with_lifecycle(frames.frame(rows, frames.TOKENS), now=NOW)
    return owners.with_owners(aged, **NOBODY)


def token(state, granted, *, inferred=None, backfilled=None, **more):
    documents = {
        "autoscope_state": state and f"AUTOSCOPE_STATE_{state}",
        "scopes": granted,
        "inferred_scopes": inferred,
        "backfill_scopes": backfilled,
    }
    return documents | more


# A token, its advice, its new scopes, and a part of the reason.
CASES = {
    "less is used than granted": (token("COMPLETED", ["a", "b"], inferred=["a"]), "narrow", ["a"], "not use all"),
    "the same from earlier calls": (token("BACKFILLED", ["a", "b"], backfilled=["b"]), "narrow", ["b"], "not use all"),
    "both records count": (
        token("COMPLETED", ["a", "b", "c"], inferred=["a"], backfilled=["b"]), "narrow", ["a", "b"], "not use all",
    ),
    "a repeated scope": (token("COMPLETED", ["b", "a", "b"], inferred=["a", "a"]), "narrow", ["a"], "not use all"),
    "all is used": (token("COMPLETED", ["b", "a"], inferred=["a", "b"]), "keep", None, "all its scopes"),
    "all-apis": (token("COMPLETED", ["all-apis"], inferred=["sql"]), "narrow", ["sql"], "all the owner's permissions"),
    "all-apis beside another scope": (
        token("COMPLETED", ["all-apis", "sql"], inferred=["jobs"]), "narrow", ["jobs"], "all the owner's permissions",
    ),
    "no scopes chosen": (token("COMPLETED", None, inferred=["sql"]), "narrow", ["sql"], "all the owner's permissions"),
    "an empty list of scopes": (token("BACKFILLED", [], backfilled=["sql"]), "narrow", ["sql"], "all the owner's"),
    "all-apis is used": (token("COMPLETED", None, inferred=["all-apis"]), "keep", None, "all its scopes"),
    "authentication unused": (
        token("COMPLETED", ["authentication", "sql"], inferred=["sql"]), "narrow", ["sql"], "can create a token",
    ),
    "authentication used": (
        token("COMPLETED", ["authentication", "sql"], inferred=["authentication"]), "narrow", ["authentication"],
        "needs to create",
    ),
    "more is used than granted": (token("COMPLETED", ["a", "b"], inferred=["a", "c"]), "none", None, "ask its owner"),
    "nothing is used": (token("COMPLETED", ["a"], inferred=[]), "none", None, "whether it is still needed"),
    "no record of its use": (token("BACKFILLED", ["a"]), "none", None, "whether it is still needed"),
    "still observed": (token("RUNNING", ["a", "b"], inferred=["a"]), "wait", None, "still being recorded"),
    "not covered": (token("API_NOT_COVERED", ["all-apis"], inferred=["sql"]), "none", None, "without a scope"),
    "selected by a user": (token("USER_SELECTED", ["a"]), "none", None, "a user selected"),
    "disabled": (token("DISABLED", ["a"], inferred=["a"]), "none", None, "disabled"),
    "no state": (token(None, None), "none", None, "not recorded"),
    "a state of a newer server": (token("GUESSED", ["a", "b"], inferred=["a"]), "none", None, "not recorded"),
    "expired": (token("COMPLETED", ["a", "b"], inferred=["a"], expiry_time=1), "none", None, "expired"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_advice_is_given_only_if_the_record_suffices(case):
    document, advice, new, reason = CASES[case]
    row = scopes.advise(listing(document)).iloc[0]
    assert row["advice"] == advice
    assert (row["new_scopes"] if isinstance(row["new_scopes"], list) else None) == new
    assert reason in row["reason"]


def test_the_advice_for_many_tokens_is_that_for_single_tokens():
    documents = [document for document, _, _, _ in CASES.values()]
    together = scopes.advise(listing(*documents).iloc[3:].iloc[::-1])
    for position, document in enumerate(documents[3:][::-1]):
        alone = scopes.advise(listing(document)).iloc[0]
        row = together.iloc[position]
        for name in ("reach", "used_scopes", "unused_scopes", "new_scopes", "advice", "reason"):
            assert shown(row[name]) == shown(alone[name])


def shown(value):
    return value if isinstance(value, list | str) else None


def test_reach_sums_up_the_granted_scopes():
    reach = {
        "limited": ["sql"],
        "everything": ["all-apis"],
        "everything_by_creating_tokens": ["authentication", "scim"],
    }
    rows = scopes.advise(listing(*(token(None, granted) for granted in [*reach.values(), None])))
    assert rows["reach"].tolist() == [*reach, "everything"]


def test_unused_scopes_are_named_where_they_are_known_and_missing_where_not():
    rows = scopes.advise(
        listing(
            token("COMPLETED", ["a", "b"], inferred=["a"]),
            token("COMPLETED", ["a"], inferred=["a"]),
            token("RUNNING", ["a", "b"], inferred=["a"]),
        )
    )
    assert [shown(scopes_) for scopes_ in rows["unused_scopes"]] == [["b"], [], None]
    assert [shown(scopes_) for scopes_ in rows["used_scopes"]] == [["a"]] * 3


# https://docs.databricks.com/api/workspace/scopes, and all-apis.
DOCUMENTED = [
    "access-management", "alerts", "all-apis", "apps", "authentication", "cleanrooms", "clusters", "command-execution",
    "dashboards", "dataquality", "files", "genie", "global-init-scripts", "instance-pools", "instance-profiles", "jobs",
    "libraries", "marketplace", "mlflow", "model-serving", "networking", "notifications", "pipelines", "postgres",
    "query-history", "scim", "secrets", "settings", "sharing", "sql", "tags", "unity-catalog", "vector-search",
    "workspace",
]  # fmt: skip


def test_a_documented_scope_is_not_misspelled_and_suggested_for_a_misspelled_one():
    none = listing()
    assert scopes.misspelt(DOCUMENTED, none) == {}
    assert scopes.misspelt([f"{name}s" for name in DOCUMENTED], none) == {f"{name}s": name for name in DOCUMENTED}
    assert scopes.misspelt([f"{name}s".upper() for name in DOCUMENTED], none) == {
        f"{name}S".upper(): name for name in DOCUMENTED
    }


@pytest.mark.parametrize("column", ["scopes", "inferred_scopes", "backfill_scopes"])
def test_a_scope_of_a_token_is_known_without_documentation(column):
    tokens = listing({column: ["brand-new", "sql"]}, {})
    assert scopes.misspelt(["brand-new", "brand-nev", "nothing-like-it"], tokens) == {"brand-nev": "brand-new"}


def test_no_token_gives_the_same_columns_and_dtypes():
    nothing = scopes.advise(listing())
    assert len(nothing) == 0
    some = scopes.advise(listing(token("COMPLETED", ["a", "b"], inferred=["a"])))
    pd.testing.assert_series_equal(nothing.dtypes, some.dtypes)


def test_the_advice_on_a_workspace_is_what_plain_python_finds(workspace, sandbox):
    infos = {info["token_id"]: info for info in sandbox.workspaces[0].state.tokens.infos()}
    expected = {}
    for token_id, info in infos.items():
        used = set(info.get("inferred_scopes", ())) | set(info.get("backfill_scopes", ()))
        recorded = info.get("autoscope_state") in {"AUTOSCOPE_STATE_COMPLETED", "AUTOSCOPE_STATE_BACKFILLED"}
        works = not 0 < info["expiry_time"] <= NOW.timestamp() * 1000
        if works and recorded and used and used < set(info["scopes"]):
            expected[token_id] = sorted(used)
    found = workspace.scopes("advice == 'narrow'").set_index("token_id")["new_scopes"]
    assert dict(zip(found.index, found, strict=True)) == expected
    assert len(expected) > 4


def test_scopes_take_the_filters_of_a_listing_and_expressions_over_both(workspace):
    everything = workspace.scopes()
    assert len(everything) == len(workspace.tokens())
    some = workspace.scopes("advice == 'wait' and idle_days < 400", status="active")
    pd.testing.assert_frame_equal(some, everything[everything["advice"] == "wait"])
    with pytest.raises(errors.UsageError, match="Did you mean advice"):
        workspace.scopes("advise == 'wait'")


def test_the_plan_narrows_each_token_to_its_own_use_and_is_put_back(fresh_sandbox, connected, tmp_path):
    ws = connected(fresh_sandbox, home=tmp_path / "home")
    state = fresh_sandbox.workspaces[0].state
    first, second, third = [info for info in state.tokens.infos() if info["expiry_time"] > NOW.timestamp() * 1000][:3]
    state.tokens.replace(first | token("COMPLETED", ["jobs", "sql"], inferred=["sql"]))
    free = {name: value for name, value in second.items() if name != "scopes"}
    state.tokens.replace(free | {"autoscope_state": "AUTOSCOPE_STATE_BACKFILLED", "backfill_scopes": ["files"]})
    state.tokens.replace(third | token("RUNNING", ["jobs", "sql"], inferred=["sql"]))
    three = [first["token_id"], second["token_id"], third["token_id"]]
    before = ws.token_management.list()
    plan = ws.plan_scopes(reason="least privilege")
    assert set(three) & set(plan.token_ids) == set(three[:2])
    assert plan.apply()["outcome"].eq("updated").all()
    after = ws.token_management.list().set_index("token_id")["scopes"]
    assert [after[each] for each in three] == [["sql"], ["files"], ["jobs", "sql"]]
    assert len(ws.plan_scopes()) == 0  # nothing is left to narrow
    assert ws.undo(plan.run_id).apply()["outcome"].eq("updated").all()
    pd.testing.assert_frame_equal(ws.token_management.list(), before)
