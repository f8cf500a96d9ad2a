"""The plan to revoke: who is hit is decided and shown before, and what changed since is left alone."""

import io
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import requests

import tokenkit
from tests.conftest import NOW
from tokenkit import cli, frames
from tokenkit.actions import preview
from tokenkit.actions.revocation import StagedRevocation, notice_text
from tokenkit.output import export

DAY_MS = 86_400_000


def first(ws, **criteria):
    tokens = ws.tokens(**criteria)
    return tokens[tokens["owner"] != "admin@example.com"].iloc[0]


@pytest.mark.parametrize(
    "form",
    [
        lambda t: t,
        lambda t: t["token_id"],
        lambda t: t["token_id"].tolist(),
        lambda t: np.array(t["token_id"], dtype=object),
    ],
    ids=["frame", "column", "list", "array"],
)
def test_tokens_are_named_by_a_frame_or_by_ids(ws, victims, form):
    plan = ws.revoke(form(victims))
    assert plan.token_ids == tuple(victims["token_id"])
    assert len(plan) == 50
    assert ws.revoke(victims["token_id"].iloc[0]).token_ids == (victims["token_id"].iloc[0],)


@pytest.mark.parametrize(
    "wrong",
    [
        pd.DataFrame({"id": ["x"]}),
        pd.DataFrame([["a" * 64, "b" * 64]], columns=["token_id", "token_id"]),
        pd.DataFrame({"token_id": ["a" * 64, np.nan]}),
        pd.DataFrame({"token_id": [pd.NA]}),
        [1],
        [None],
        None,
        64,
        "",
        b"a" * 64,
        {"token_id": "a" * 64},
        [["a" * 64]],
        "owner_kind == 'deleted'",
        ["status == 'expired'", "idle_days > 90"],
        ["a" * 64, "idle_days > 90"],
        "jane@example.com",
        "a" * 8,
        "a" * 63,
        "a" * 65,
        "a" * 32 + " " + "a" * 31,
        "g" * 64,
        "\uff11" * 64,
        "a" * 64 + "," + "b" * 64,
    ],
)
def test_what_is_not_a_token_id_is_rejected_before_any_request(ws, company, wrong):
    company.requests.clear()
    for plan in (ws.revoke, lambda tokens: ws.plan_update(tokens, comment="x")):
        with pytest.raises(tokenkit.UsageError, match=r"is not a token id|exactly one column token_id"):
            plan(wrong)
    assert list(company.requests) == []


def test_a_value_that_was_passed_for_an_id_is_not_shown(ws):
    value = "dapi" + "0123456789abcdef" * 2
    with pytest.raises(tokenkit.UsageError) as raised:
        ws.revoke(value)
    assert value not in str(raised.value)


def test_an_id_in_upper_case_or_with_blanks_around_is_that_id(ws, victims):
    token_id = victims["token_id"].iloc[0]
    assert ws.revoke([f" {token_id.upper()}\n", token_id]).token_ids == (token_id,)


def test_no_tokens_make_an_empty_plan(ws, victims):
    for nothing in ([], victims.head(0), victims.head(0)["token_id"]):
        assert len(ws.revoke(nothing)) == 0


def test_a_plan_changes_nothing_and_is_not_changed_by_its_frame(ws, company, victims, ids):
    before = ids(company)
    chosen = victims.copy()
    plan = ws.revoke(chosen)
    chosen["token_id"] = "0" * 64
    preview = plan.preview()
    preview["token_id"] = "0" * 64
    assert plan.preview()["token_id"].tolist() == victims["token_id"].tolist()
    assert ids(company) == before
    assert {record.method for record in company.requests} == {"GET"}


def test_your_own_tokens_are_left_out_unless_you_name_them(ws, victims):
    own = ws.tokens(owner="admin@example.com")
    both = pd.concat([victims, own])
    plan = ws.revoke(both)
    assert set(plan.token_ids) == set(victims["token_id"])
    assert plan.left_out["token_id"].tolist() == own["token_id"].tolist()
    assert plan.left_out["reason"].str.contains("include_own").all()
    named = ws.revoke(both, include_own=True)
    assert set(own["token_id"]) <= set(named.token_ids)
    assert named.warnings()["yours"] == len(own)


def test_the_token_that_signs_in_is_marked_and_is_revoked_after_all_others(company, ids):
    (owned,) = company.workspaces
    create, signed = f"{owned.host}/api/2.0/token/create", {"Authorization": f"Bearer {owned.token}"}
    made = [requests.post(create, headers=signed, timeout=10).json() for _ in range(4)]
    *mine, signs_in = (each["token_info"]["token_id"] for each in made)
    ws = tokenkit.connect(host=owned.host, token=made[-1]["token_value"])
    other = first(ws)["token_id"]
    plan = ws.revoke([signs_in, *mine, other], include_own=True)
    warnings = plan.preview().set_index("token_id")["warnings"]
    assert warnings[signs_in].startswith("this session signs in with it; yours")
    assert plan.warnings()["this session signs in with it"] == 1
    company.requests.clear()
    result = plan.apply(workers=1)
    deleted = [record.path.rpartition("/")[2] for record in company.requests if record.method == "DELETE"]
    assert deleted[-1] == signs_in
    assert set(deleted[1:-1]) == set(mine)
    assert result["outcome"].eq("revoked").all()
    assert result["error"].str.startswith("not confirmed").all()
    assert not {signs_in, *mine} & ids(company)


def test_a_session_without_a_token_marks_none(company, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", company.workspaces[0].host)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", company.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", company.client_secret)
    ws = tokenkit.connect()
    plan = ws.revoke(ws.tokens(), include_own=True)
    assert "this session signs in with it" not in plan.warnings()


def test_protected_tokens_are_left_out_by_file_and_by_argument(ws, victims):
    owner, other = victims["owner"].iloc[0], victims["token_id"].iloc[-1]
    ws.folder.mkdir(parents=True, exist_ok=True)
    (ws.folder / "config.toml").write_text(f'[protect]\nowners = ["{owner}"]\n')
    plan = ws.revoke(victims, protect={"token_ids": [other]})
    safe = set(victims["token_id"][victims["owner"] == owner]) | {other}
    assert set(plan.left_out["token_id"]) == safe
    assert not safe & set(plan.token_ids)
    assert plan.left_out["reason"].str.startswith("protected: ").all()


def test_an_id_that_is_not_there_is_reported_and_left_out(ws, victims):
    plan = ws.revoke([victims["token_id"].iloc[0], "0" * 64])
    assert plan.left_out[["token_id", "reason"]].to_numpy().tolist() == [["0" * 64, "not found"]]


def test_the_preview_warns_of_what_matters(ws):
    everything = ws.tokens()
    preview = ws.revoke(everything, include_own=True).preview().set_index("token_id")
    by_id = everything.set_index("token_id")
    words = preview["warnings"].str.split("; ")
    has = lambda text: set(preview.index[[text in each for each in words]])  # noqa: E731
    recently = NOW.normalize() - pd.Timedelta(days=7)
    assert has("used in the last 7 days") == set(by_id.index[by_id["last_used_day"] >= recently])
    assert has("a service principal's") == set(by_id.index[by_id["owner_kind"] == "service_principal"])
    assert has("expired already") == set(by_id.index[by_id["status"] == "expired"])
    assert has("yours") == set(by_id.index[by_id["owner"] == "admin@example.com"])
    assert has("its owner keeps no active token") == set(by_id.index[by_id["status"] == "active"])


def test_a_token_that_was_used_before_it_was_created_is_an_error_in_the_data(ws, company, victims):
    token_id = victims["token_id"].iloc[0]
    state = company.workspaces[0].state.tokens
    info = next(info for info in state.infos() if info["token_id"] == token_id)
    state.replace({**info, "last_used_day": info["creation_time"] - 30 * DAY_MS})
    preview = ws.revoke(victims).preview().set_index("token_id")["warnings"]
    mistaken = preview.str.contains("last used before it was created")
    assert mistaken[mistaken].index.tolist() == [token_id]


def test_a_preview_and_what_is_left_out_have_the_columns_that_are_documented(ws, victims):
    plan = ws.revoke([*victims["token_id"], *ws.tokens(owner="admin@example.com")["token_id"], "0" * 64, "1" * 64])
    columns = ["token_id", "owner", "owner_kind", "comment", "status", "last_used_day", "expiry_time", "warnings"]
    assert list(plan.preview().columns) == columns
    assert list(plan.left_out.columns) == ["token_id", "owner", "comment", "reason"]
    for frame in (plan.preview(), plan.left_out):
        assert frame.index.tolist() == list(range(len(frame)))
    planned = ws.tokens().set_index("token_id").loc[list(plan.token_ids)]
    assert plan.preview()["comment"].fillna("").tolist() == planned["comment"].fillna("").tolist()
    assert repr(plan).startswith(f"<RevocationPlan: 50 tokens on {ws.name} will be revoked for good, ")
    left_out = plan.summary().left_out
    assert left_out["not found"] == 2
    assert sum(left_out.values()) == len(plan.left_out)


def test_your_own_tokens_are_the_last_of_a_run(ws):
    tokens = ws.tokens()
    own = set(tokens["token_id"][tokens["owner"] == "admin@example.com"])
    plan = ws.revoke(tokens, include_own=True)
    plan.apply()
    recorded = ws.journal()["token_id"].tolist()
    assert set(recorded[-len(own) :]) == own
    assert recorded[: -len(own)] == [token_id for token_id in tokens["token_id"] if token_id not in own]


def test_the_last_token_of_an_owner_is_only_the_last(ws):
    active = ws.tokens(status="active")
    several = active[active.duplicated("owner_id", keep=False)].sort_values("owner_id")
    owner = several["owner_id"].iloc[0]
    theirs = several[several["owner_id"] == owner]
    assert "its owner keeps no active token" not in ws.revoke(theirs.iloc[1:]).warnings()
    assert ws.revoke(theirs).warnings()["its owner keeps no active token"] == len(theirs)


def test_a_preview_counts_and_names_the_owners_that_lose_their_last_token(ws):
    active = ws.tokens("owner_kind == 'user'", status="active")
    several = active[active.duplicated("owner_id", keep=False) & (active["owner"] != ws.me())]
    owners = several["owner"].unique().tolist()
    (line,) = _about_last_tokens(ws.revoke(several[several["owner"] == owners[0]]))
    assert line == f"Warning: 1 owner keeps no active token: {owners[0]}."
    plan = ws.revoke(several)
    (line,) = _about_last_tokens(plan)
    assert line.startswith(f"Warning: {len(owners)} owners keep no active token: ")
    assert line.endswith(f" and {len(owners) - 5} more.")
    assert all(name in owners for name in plan.losing_last_token())
    assert plan.summary().warnings["its owner keeps no active token"] == len(several)
    assert _about_last_tokens(ws.revoke(several.groupby("owner_id").head(1))) == []
    fleet = tokenkit.fleet([ws])
    (of_fleet,) = _about_last_tokens(fleet.revoke(fleet.tokens().merge(several["token_id"])))
    assert of_fleet == line.replace(" keep no active token: ", " keep no active token in a workspace: ")


def _about_last_tokens(plan):
    return [line for line in preview.of(plan).closing if "no active token" in line]


def test_what_was_used_since_the_plan_is_skipped_unless_told_otherwise(ws, company, ids):
    token = first(ws, status="active", idle="5d")
    plans = [ws.revoke(token.token_id) for _ in range(2)]
    company.workspaces[0].state.tokens.touch(token.token_id, int(NOW.timestamp() * 1000) // DAY_MS * DAY_MS)
    skipped = plans[0].apply()
    assert skipped["outcome"].tolist() == ["skipped"]
    assert skipped["error"].tolist() == ["used since the plan, on 2026-03-01"]
    assert token.token_id in ids(company)
    assert plans[1].apply(despite_drift=True)["outcome"].tolist() == ["revoked"]


def test_what_changed_owner_since_the_plan_is_skipped(ws, company, ids):
    token = first(ws, status="active")
    plan = ws.revoke(token.token_id)
    state = company.workspaces[0].state
    info = next(info for info in state.tokens.infos() if info["token_id"] == token.token_id)
    state.tokens.replace({**info, "owner_id": 4711})
    assert plan.apply()["error"].str.startswith("owner changed since the plan").all()
    assert token.token_id in ids(company)


def test_a_token_that_was_deleted_since_the_plan_is_looked_up_and_not_sent(ws, company, victims):
    plan = ws.revoke(victims)
    gone = victims["token_id"].iloc[0]
    ws.token_management.delete(gone)
    company.requests.clear()
    result = plan.apply().set_index("token_id")
    assert result.loc[gone, "outcome"] == "already_gone"
    assert result["outcome"].value_counts().to_dict() == {"revoked": 49, "already_gone": 1}
    assert [record.method for record in company.requests if record.path.endswith(gone)] == ["GET"]


def test_the_journal_has_who_where_why_and_what_it_was(ws, victims):
    plan = ws.revoke(victims, reason="leaked on 1 March")
    plan.apply()
    rows = ws.journal()
    assert rows["token_id"].tolist() == list(plan.token_ids)
    assert set(rows["run_id"]) == {plan.run_id}
    assert set(rows["caller"]) == {"admin@example.com"}
    assert set(rows["reason"]) == {"leaked on 1 March"}
    assert set(rows["kind"]) == {"revoke"}
    assert rows["snapshot"].str.contains('"creation_time"').all()


def test_the_journal_goes_into_parquet_and_csv_and_back(ws, victims, tmp_path):
    ws.revoke(victims).apply()
    rows = ws.journal()
    rows.to_parquet(tmp_path / "journal.parquet")
    back = pd.read_parquet(tmp_path / "journal.parquet")
    assert back["token_id"].tolist() == rows["token_id"].tolist()
    assert back["finished_at"].tolist() == rows["finished_at"].tolist()
    assert len(pd.read_csv(io.StringIO(export.csv_text(rows)))) == len(rows)


def test_a_plan_shows_itself_with_hostile_text_escaped(ws, company):
    state = company.workspaces[0].state
    info = next(info for info in state.tokens.infos() if info["owner_id"] != state.tokens.infos()[0]["owner_id"])
    state.tokens.replace({**info, "comment": "<img src=x onerror=alert(1)>"})
    plan = ws.revoke(info["token_id"])
    assert "<img" not in plan._repr_html_()
    assert "&lt;img" in plan._repr_html_()
    assert "nothing changes before .apply()" in repr(plan)


def test_a_token_value_in_a_comment_is_not_saved_with_a_plan(ws, company):
    state = company.workspaces[0].state
    info = next(info for info in state.tokens.infos() if info["owner_id"] != state.tokens.infos()[0]["owner_id"])
    secret = "dapi" + "0123456789abcdef" * 2
    state.tokens.replace({**info, "comment": f"old key: {secret}"})
    assert "[redacted]" in ws.revoke(info["token_id"])._repr_html_()
    assert secret not in ws.revoke(info["token_id"])._repr_html_()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"protect": ["x"]}, "protect must be a dict, not list."),
        ({"include_own": 1}, "include_own must be True or False, not int."),
        ({"reason": 5}, "reason must be of type str, not int."),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(ws, given, message):
    with pytest.raises(tokenkit.UsageError) as raised:
        ws.revoke([], **given)
    assert str(raised.value) == message


def test_a_notice_names_who_created_the_tokens_of_a_service_principal(ws, company):
    tokens = ws.tokens()
    principals = tokens[(tokens["owner_kind"] == "service_principal") & (tokens["created_by_id"] != tokens["owner_id"])]
    one = principals["owner"].iloc[0]
    chosen = tokens[tokens["owner"] == one]
    infos = company.workspaces[0].state.tokens
    by_itself = next(info for info in infos.infos() if info["token_id"] == chosen["token_id"].iloc[-1])
    infos.replace({**by_itself, "created_by_id": by_itself["owner_id"], "created_by_username": "an-application-id"})
    person = tokens[(tokens["owner_kind"] == "user") & (tokens["owner"] != ws.me())].head(1)
    notices = ws.revoke([*chosen["token_id"], *person["token_id"]]).stage(grace="14d").notices.set_index("owner")
    people = ws.users().set_index("id")["user_name"]  # the listing names the service principal as the creator
    creators = [*dict.fromkeys(chosen["created_by_id"].iloc[:-1].map(people)), one]
    assert not chosen["created_by_username"].isin(people).any()
    assert set(notices.loc[one, "created_by"].split("; ")) == set(creators)
    assert notices.loc[person["owner"].iloc[0], "created_by"] == person["owner"].iloc[0]
    assert list(notices.columns) == ["owner_kind", "created_by", "tokens", "comments", "due"]


def test_a_notice_is_addressed_to_who_reads_mail_and_says_what_ends_when_and_what_to_do():
    notices = pd.DataFrame(
        {
            "owner": ["ada@example.com", "dbt", None],
            "owner_kind": ["user", "service_principal", None],
            "created_by": ["ada@example.com", "ben@example.com", "42"],
            "tokens": [2, 1, 1],
            "comments": ["nightly; BI", "loader", ""],
            "due": NOW,
        }
    )
    first, second, third = notice_text(notices, "prod").split("\n\n")
    assert first == (
        f"To ada@example.com: your 2 Databricks tokens on prod will be revoked on {NOW:%Y-%m-%d}: nightly; BI. "
        "If you need one, say so before that date. Tokens whose use is recorded in the meantime are skipped."
    )
    assert second.startswith("To ben@example.com: the service principal dbt's 1 Databricks token on prod ")
    assert third.startswith(f"To unknown owner: your 1 Databricks token on prod will be revoked on {NOW:%Y-%m-%d}. If ")


def test_a_notice_names_a_creator_as_far_as_it_is_known():
    creators = [(5, "app-id"), (None, "ann@example.com"), (7, None), (None, None), (5, None)]
    planned = pd.DataFrame({"token_id": [*"abcde"], "owner": "etl", "owner_kind": "service_principal"}).assign(
        owner_id=pd.array([5] * 5, "Int64"),
        created_by_id=pd.array([id_ for id_, _ in creators], "Int64"),
        created_by_username=pd.array([name for _, name in creators], frames.TEXT),
        comment=pd.array(["x", None, "y", "z", None], frames.TEXT),
    )
    (notice,) = StagedRevocation("run", NOW, planned).notices.to_dict("records")
    assert notice == {
        "owner": "etl",
        "owner_kind": "service_principal",
        "created_by": "etl; ann@example.com; 7; ",
        "tokens": 5,
        "comments": "x; ; y; z; ",
        "due": NOW,
    }


def test_a_notice_has_all_comments_of_an_owner_and_is_due_in_two_weeks(ws):
    tokens = ws.tokens()
    several = tokens[tokens.duplicated("owner_id", keep=False) & tokens["comment"].notna()]
    theirs = several[several["owner_id"] == several["owner_id"].value_counts().index[0]]
    (notice,) = ws.revoke(theirs, include_own=True).stage().notices.to_dict("records")
    assert notice["tokens"] == len(theirs) > 1
    assert notice["comments"].split("; ") == theirs["comment"].tolist()
    assert notice["due"] == NOW + pd.Timedelta(days=14)


def test_two_service_principals_of_one_name_get_a_notice_each(ws):
    principals = ws.service_principals()
    tokens = ws.tokens()
    owners = tokens[tokens["owner_kind"] == "service_principal"].drop_duplicates("owner_id").head(2)
    for owner_id in owners["owner_id"]:
        assert owner_id in set(principals["id"])
        change = [{"op": "replace", "path": "displayName", "value": "twin"}]
        schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
        body = {"schemas": [schema], "Operations": change}
        ws.api._transport.call("PATCH", f"/api/2.0/preview/scim/v2/ServicePrincipals/{owner_id}", body=body)
    assert ws.revoke(owners).stage().notices["owner"].tolist() == ["twin", "twin"]


@pytest.mark.parametrize("act", [lambda plan: plan.apply(), lambda plan: plan.stage()])
def test_a_plan_that_was_staged_is_neither_applied_at_once_nor_staged_again(ws, company, ids, act):
    tokens = ws.tokens(status="active")
    plan = ws.revoke(tokens[tokens["owner"] != "admin@example.com"].head(2))
    staged, before = plan.stage(grace="14d"), ids(company)
    with pytest.raises(tokenkit.UsageError, match=f"staged as run {staged.run_id}, which is due on 2026-03-15"):
        act(plan)
    assert ids(company) == before
    assert len(ws.runs()) == 1


def test_a_staged_revocation_waits_for_its_day_and_spares_what_came_alive(ws, company, connected, ids):
    tokens = ws.tokens(status="active", idle="10d")
    chosen = tokens[tokens["owner"] != "admin@example.com"].head(5)
    staged = ws.revoke(chosen, reason="clean-up").stage(grace="14d")
    assert staged.notices["tokens"].sum() == 5
    assert set(staged.notices["owner"]) == set(chosen["owner"])
    assert staged.due == NOW + pd.Timedelta(days=14)
    assert repr(staged) == f"<StagedRevocation of 5 tokens, due 2026-03-15: tokenkit.resume({staged.run_id!r})>"
    with pytest.raises(tokenkit.UsageError, match="cannot be resumed before 2026-03-15"):
        tokenkit.resume(staged.run_id, workspace=ws)
    assert set(chosen["token_id"]) <= ids(company)
    alive = chosen["token_id"].iloc[0]
    company.workspaces[0].state.tokens.touch(alive, int(NOW.timestamp() * 1000) // DAY_MS * DAY_MS)
    later = connected(company, home=ws.folder, clock=NOW + pd.Timedelta(days=15))
    result = tokenkit.resume(staged.run_id, workspace=later).set_index("token_id")
    assert result.loc[alive, "outcome"] == "skipped"
    assert result["outcome"].value_counts().to_dict() == {"revoked": 4, "skipped": 1}


@pytest.fixture
def namesakes(ws, company):
    """Two service principals that hold tokens and have one name."""
    tokens = ws.tokens("owner_kind == 'service_principal'", status="active").drop_duplicates("owner_id").head(2)
    directory = company.workspaces[0].state.directory
    for owner_id in tokens["owner_id"]:
        directory.replace(replace(directory.get(int(owner_id)), display_name="nightly etl"))
    return tokens


def test_tokens_that_were_chosen_by_a_name_of_several_are_not_changed(ws, namesakes):
    ids = ", ".join(map(str, namesakes["owner_id"]))
    chosen = ws.tokens(owner="Nightly ETL")
    fleet = tokenkit.fleet([ws])
    for plan in (
        lambda: ws.revoke(chosen),
        lambda: ws.revoke(chosen.head(1)["token_id"]),
        lambda: ws.plan_update(chosen, comment="new"),
        lambda: ws.plan_scopes(owner="nightly etl"),
        lambda: ws.plan_update(ws.scopes(owner="nightly etl"), scopes=["sql"]),
        lambda: fleet.revoke(fleet.tokens(owner="nightly etl")),
    ):
        with pytest.raises(
            tokenkit.UsageError, match=f"The name '(?i:nightly etl)' is shared by several owners. Use an id: {ids}"
        ):
            plan()
    owner_id = namesakes["owner_id"].iloc[0]
    assert set(ws.revoke(ws.tokens(owner=str(owner_id))).token_ids) == set(ws.tokens(owner=str(owner_id))["token_id"])
    assert len(ws.revoke(list(chosen["token_id"]))) == len(chosen)  # ids are not ambiguous
    assert len(ws.revoke(ws.tokens(owner="nightly*"))) == len(chosen)  # and a pattern means all


@pytest.mark.parametrize("line", ["revoke --owner 'nightly etl' --yes", "scopes --owner 'nightly etl' --narrow --yes"])
@pytest.mark.usefixtures("namesakes")
def test_a_command_rejects_a_name_of_several_as_well(ws, company, monkeypatch, capsys, line):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    before = ws.token_management.list()
    assert cli.main(shlex.split(line)) == 2
    assert "is shared by several owners" in capsys.readouterr().err
    assert ws.token_management.list().equals(before)
