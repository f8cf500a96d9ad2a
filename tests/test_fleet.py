"""Many workspaces as one: partial answers, dtypes, names, plans. Kills are in tests/actions/test_fleet_survival.py."""

import socket
import threading
from urllib.parse import quote

import duckdb
import pandas as pd
import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.core import Config

import tokenkit
from tests.conftest import NOW
from tokenkit import fleet_audit, frames
from tokenkit.rest import accounts
from tokenkit.rest.transport import RetryPolicy
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.account import ACCOUNT
from tokenkit.sandbox.answers import encode

LISTING = "/api/2.0/token-management/tokens"
IMPATIENT = RetryPolicy(budget_seconds=0)


@pytest.fixture(scope="module")
def _company():
    with Sandbox(tokens=80, workspaces=4, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def company(_company):
    """Four workspaces that a module shares, for tests that only read."""
    _company.faults.clear()
    _company.requests.clear()
    yield _company
    _company.faults.clear()


@pytest.fixture
def own_company():
    with Sandbox(tokens=60, workspaces=3, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


def hands(sandbox, home=None):
    return [
        tokenkit.connect(host=each.host, token=each.token, clock=NOW, retries=IMPATIENT, home=home)
        for each in sandbox.workspaces
    ]


def hosts_of(sandbox):
    return [each.host for each in sandbox.workspaces]


def account_of(sandbox, **settings):
    settings = {"client_secret": sandbox.client_secret} | settings
    return AccountClient(
        host=sandbox.account_host, account_id=sandbox.account_id, client_id=sandbox.client_id, **settings
    )


@pytest.fixture
def fleet(company):
    return tokenkit.fleet(hands(company))


@pytest.fixture
def unreachable():
    """A host where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def write_profiles(monkeypatch, tmp_path, profiles):
    path = tmp_path / "profiles"
    lines = [f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items()) for name, each in profiles]
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))


# What a fleet is made of


def test_tokens_are_those_of_each_workspace_with_its_host_before_them(company, fleet):
    tokens = fleet.tokens()
    assert len(fleet) == 4
    assert fleet.hosts == tuple(hosts_of(company))
    assert list(tokens.columns[:2]) == ["workspace", "token_id"]
    for workspace in hands(company):
        part = tokens[tokens["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, workspace.tokens())
    assert tokens["workspace"].drop_duplicates().tolist() == list(fleet.hosts)
    assert len(fleet.errors) == 0
    assert list(fleet.errors.columns) == ["workspace", "asked", "kind", "message"]


def test_a_listing_is_what_the_workspaces_list(company, fleet):
    listing = fleet.listing()
    for workspace in hands(company):
        part = listing[listing["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, workspace.token_management.list())
    assert {each.path for each in company.requests} == {LISTING}


def test_filters_hold_in_every_workspace_and_where_sees_the_column_workspace(company, fleet):
    host = company.workspaces[2].host
    found = fleet.tokens(f"workspace == '{host}'", status="active", owner="*@example.com")
    assert set(found["workspace"]) == {host}
    pd.testing.assert_frame_equal(
        found.drop(columns="workspace").reset_index(drop=True),
        hands(company)[2].tokens(status="active", owner="*@example.com").reset_index(drop=True),
    )
    assert len(fleet.tokens(created_by="admin@example.com")) == 4


def test_access_is_that_of_each_workspace(company, fleet):
    everybody = fleet.access()
    assert everybody["workspace"].nunique() == 4
    first = everybody[everybody["workspace"] == company.host].drop(columns="workspace").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, hands(company)[0].access())
    assert fleet.access("holds_without_right")["holds_without_right"].all()


def test_a_fleet_of_one_is_that_workspace(company):
    workspace = hands(company)[0]
    tokens = tokenkit.fleet(workspace).tokens()
    pd.testing.assert_frame_equal(tokens.drop(columns="workspace"), workspace.tokens())


@pytest.mark.parametrize("none", [[], (), iter([])])
def test_a_fleet_of_none_is_refused(none):
    with pytest.raises(tokenkit.ConfigurationError, match="at least one workspace"):
        tokenkit.fleet(none)


def test_profiles_hosts_and_sdk_objects_make_a_fleet(company, monkeypatch, tmp_path):
    first, second, third, _ = company.workspaces
    profiles = [("prod", {"host": f"{first.host}/", "token": first.token})]
    write_profiles(monkeypatch, tmp_path, profiles)
    official = WorkspaceClient(host=second.host, token=second.token)
    in_hand = tokenkit.connect(host=third.host, token=third.token)
    tokens = tokenkit.fleet(["prod", official, in_hand]).tokens()
    assert tokens["workspace"].drop_duplicates().tolist() == [first.host, second.host, third.host]


def test_two_names_for_one_host_are_one_workspace(company, monkeypatch, tmp_path):
    first = company.workspaces[0]
    profiles = [
        (name, {"host": host, "token": first.token}) for name, host in [("a", first.host), ("b", first.host + "/")]
    ]
    write_profiles(monkeypatch, tmp_path, profiles)
    fleet = tokenkit.fleet(["a", "b", hands(company)[0]])
    assert fleet.hosts == (first.host,)
    assert fleet.tokens()["token_id"].is_unique


def test_an_unknown_profile_is_told_before_anything_is_asked(company, monkeypatch, tmp_path):
    profiles = [("prod", {"host": company.host, "token": company.token}), ("odd", {"client_id": "x"})]
    write_profiles(monkeypatch, tmp_path, profiles)
    with pytest.raises(tokenkit.ConfigurationError, match="Did you mean prod"):
        tokenkit.fleet(["prod", "prd"])
    with pytest.raises(tokenkit.ConfigurationError, match="'odd' names no host"):
        tokenkit.fleet(["odd"])
    with pytest.raises(tokenkit.ConfigurationError, match="is not a host"):
        tokenkit.fleet(["https://"])
    with pytest.raises(tokenkit.ConfigurationError, match="not a int"):
        tokenkit.fleet([7])
    assert len(company.requests) == 0


# What an account makes a fleet of


def test_an_account_makes_a_fleet_of_its_workspaces_signed_in_as_one(company):
    fleet = tokenkit.fleet(account=account_of(company), clock=NOW)
    assert fleet.hosts == tuple(hosts_of(company))
    tokens = fleet.tokens()
    assert len(tokens) == 4 * 80
    assert fleet.workspace(company.host).me() == company.client_id
    assert company.client_secret not in repr(fleet) + repr(fleet.workspace(company.host)) + tokens.to_string()


def test_an_account_is_named_by_config_profile_or_host(company, monkeypatch, tmp_path):
    sign_in = {"client_id": company.client_id, "client_secret": company.client_secret}
    profile = {"host": company.account_host, "account_id": company.account_id} | sign_in
    write_profiles(monkeypatch, tmp_path, [("account", profile)])
    assert len(tokenkit.fleet(account="account")) == 4
    assert len(tokenkit.fleet(account=account_of(company).config)) == 4
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", company.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", company.client_secret)
    assert len(tokenkit.fleet(account=company.account_host, account_id=company.account_id)) == 4
    with pytest.raises(tokenkit.ConfigurationError, match="say which, account_id="):
        tokenkit.fleet(account=company.account_host)
    with pytest.raises(tokenkit.ConfigurationError, match="not other"):
        tokenkit.fleet(account="account", account_id="other")
    with pytest.raises(tokenkit.ConfigurationError, match="not both"):
        tokenkit.fleet(["account"], account="account")


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "<html>sign in</html>"}])
def test_an_account_that_cannot_be_listed_is_one_line(company, fault):
    account = account_of(company)
    company.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", **fault))
    with pytest.raises(tokenkit.ConfigurationError, match="could not be listed") as raised:
        tokenkit.fleet(account=account)
    assert company.client_secret not in str(raised.value)


def test_workspaces_that_do_not_run_are_left_out_and_said(company, capsys):
    listed = [
        {"workspace_id": 1, "workspace_name": "new", "workspace_status": "PROVISIONING"},
        {"workspace_id": 2, "workspace_status": "RUNNING", "workspace_url": company.host, "deployment_name": "x"},
        {"workspace_id": 3, "workspace_name": "<b>old</b>", "workspace_status": "BANNED", "deployment_name": "y"},
    ]
    company.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=encode(listed)))
    fleet = tokenkit.fleet(account=account_of(company))
    assert fleet.hosts == (company.host,)
    assert fleet.errors["message"].tolist() == [
        "new is PROVISIONING, so it is not asked.",
        "<b>old</b> is BANNED, so it is not asked.",
    ]
    assert fleet.errors["workspace"].tolist() == ["new", "https://y.cloud.databricks.com"]
    assert "2 of 3 workspaces failed" in capsys.readouterr().err
    company.faults.clear()
    company.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=encode(listed[:1])))
    with pytest.raises(tokenkit.ConfigurationError, match="no running workspace"):
        tokenkit.fleet(account=account_of(company))


def test_only_an_account_on_this_machine_is_believed_where_its_workspaces_are():
    document = {"workspace_id": 5, "deployment_name": "prod-5", "workspace_url": "https://evil.example.com"}
    for host, expected in [
        ("https://accounts.cloud.databricks.com", "https://prod-5.cloud.databricks.com"),
        ("https://accounts.azuredatabricks.net", "https://prod-5.azuredatabricks.net"),
        ("https://accounts.gcp.databricks.com", "https://prod-5.gcp.databricks.com"),
        ("http://127.0.0.1:1", "https://evil.example.com"),
    ]:
        config = object.__new__(Config)
        config._inner = {"host": host}
        assert accounts._workspace(config, document).host == expected


# Reviews


def test_an_audit_finds_what_the_workspaces_audits_find(company, fleet):
    audit = fleet.audit()
    each = {workspace.host: workspace.audit() for workspace in hands(company)}
    for host, one in each.items():
        found = audit.findings[audit.findings["workspace"] == host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, one.findings)
    counts = sum(one.summary.set_index("rule")["findings"] for one in each.values())
    pd.testing.assert_series_equal(audit.summary.set_index("rule")["findings"], counts)
    assert audit.findings["severity"].drop_duplicates().tolist() == ["high", "medium", "low"]
    assert len(audit.tokens) == 4 * 80
    assert "4 workspaces" in repr(audit)
    assert "workspaces" in audit._repr_html_()
    assert audit.accepted.columns[0] == "workspace"


def test_what_an_audit_found_is_revoked_where_it_was_found(fleet):
    audit = fleet.audit(["unused"], thresholds={"unused": {"idle_days": 30}})
    plan = audit.revoke(rule="unused", include_own=True)
    found = set(audit.findings[["workspace", "token_id"]].itertuples(index=False, name=None))
    assert set(plan.preview()[["workspace", "token_id"]].itertuples(index=False, name=None)) == found
    assert len(plan.plans) == 4


def test_an_audit_takes_what_can_be_gone_through_once(fleet):
    whole, named = fleet.audit(["unused"]), fleet.audit(iter(["unused"]))
    assert len(named.findings) == len(whole.findings) > 0
    with pytest.raises(tokenkit.UsageError, match="unusd"):
        fleet.audit(["unusd"])


def test_a_rule_that_a_workspace_could_not_check_says_in_how_many():
    summary = pd.DataFrame(
        {"rule": ["a", "b"], "findings": [1, 2], "accepted": [0, 0], "not_checked": ["", ""]}
    ).astype({"findings": "Int64", "accepted": "Int64", "not_checked": frames.TEXT, "rule": frames.TEXT})
    missing = summary.assign(
        findings=pd.array([3, pd.NA], "Int64"),
        accepted=pd.array([1, pd.NA], "Int64"),
        not_checked=pd.Series(["", "needs the settings"], dtype=frames.TEXT),
    )
    both = fleet_audit._summary(frames.concat([summary, missing]), summary)
    assert both["findings"].tolist() == [4, 2]
    assert both["not_checked"].tolist() == ["", "1 workspace: needs the settings"]
    nowhere = fleet_audit._summary(missing, missing)
    assert nowhere["findings"].isna().tolist() == [False, True]


def test_snapshots_are_one_data_set_that_pandas_and_duckdb_read(company, fleet, tmp_path):
    folder = fleet.snapshot(tmp_path / "lake")
    places = [quote(host.removeprefix("http://"), safe="") for host in hosts_of(company)]
    assert sorted(each.name for each in folder.iterdir()) == sorted(f"workspace={place}" for place in places)
    assert {each.name for each in folder.glob("*/*")} == {"day=2026-03-01"}
    read = pd.read_parquet(folder)
    tokens = fleet.tokens()
    assert sorted(read["token_id"]) == sorted(tokens["token_id"])
    assert set(read["host"]) == set(fleet.hosts)
    assert set(read["day"].astype(str)) == {"2026-03-01"}
    files = f"{folder}/**/*.parquet"
    counts = duckdb.read_parquet(files, hive_partitioning=True).aggregate("workspace, host, day, count(*) AS n").df()
    assert counts["n"].tolist() == [80] * 4
    assert [str(day)[:10] for day in counts["day"]] == ["2026-03-01"] * 4


def test_changes_are_those_of_each_workspace_since_its_newest_snapshot(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path / "home"))
    with pytest.raises(tokenkit.FleetError, match="has no snapshot"):
        fleet.changes()
    fleet.snapshot()
    assert len(fleet.changes()) == 0
    victims = victims_of(fleet, each=2)
    fleet.revoke(victims).apply(progress=False)
    changed = fleet.changes()
    assert changed["change"].tolist() == ["vanished"] * 6
    assert set(changed["cause"]) == {"revoked by us"}
    assert set(changed[["workspace", "token_id"]].itertuples(index=False, name=None)) == set(
        victims[["workspace", "token_id"]].itertuples(index=False, name=None)
    )


# Partial answers


def test_one_workspace_failing_costs_its_rows_only_and_is_said(company, fleet, capsys):
    failing = company.workspaces[1]
    company.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    tokens = fleet.tokens()
    assert set(tokens["workspace"]) == set(hosts_of(company)) - {failing.host}
    error = fleet.errors.iloc[0]
    assert (len(fleet.errors), error["workspace"], error["asked"], error["kind"]) == (
        1,
        failing.host,
        "tokens",
        "UnavailableError",
    )
    assert "INTERNAL_ERROR" in error["message"]
    assert capsys.readouterr().err == (
        "tokens: the answer is partial, 1 of 4 workspaces failed (UnavailableError); see .errors.\n"
    )
    assert "1 of them failed" in repr(fleet)
    company.faults.clear()
    fleet.tokens()
    assert len(fleet.errors) == 0  # of a verb, the last time counts
    assert capsys.readouterr().err == ""


def test_each_way_to_fail_has_its_kind(company, unreachable):
    first, second, third, fourth = company.workspaces
    company.faults.add(
        Fault(workspace_id=second.workspace_id, path=LISTING, status=403, body="<html><title>no</title></html>"),
        Fault(workspace_id=third.workspace_id, path=LISTING, truncate_bytes=100),
    )
    fleet = tokenkit.fleet(
        [
            *hands(company)[:3],
            tokenkit.connect(host=fourth.host, token="dapi" + "0" * 32),
            tokenkit.connect(host=unreachable, token="dapi" + "1" * 32, retries=IMPATIENT),
        ]
    )
    tokens = fleet.tokens()
    assert set(tokens["workspace"]) == {first.host}
    kinds = fleet.errors.set_index("workspace")["kind"].to_dict()
    assert kinds == {
        second.host: "AuthenticationError",
        third.host: "AnswerLostError",
        fourth.host: "AuthenticationError",
        unreachable: "ConnectionFailedError",
    }
    assert "dapi" not in fleet.errors.to_string()


def test_a_sign_in_that_fails_is_a_workspace_that_fails(company, monkeypatch, tmp_path):
    first, second, *_ = company.workspaces
    bad = {"host": second.host, "client_id": "nobody", "client_secret": "wrong"}
    write_profiles(monkeypatch, tmp_path, [("good", {"host": first.host, "token": first.token}), ("bad", bad)])
    fleet = tokenkit.fleet(["good", "bad"], clock=NOW)
    assert set(fleet.tokens()["workspace"]) == {first.host}
    assert fleet.errors["workspace"].tolist() == [second.host]
    assert fleet.errors["kind"].tolist() == ["ConfigurationError"]


def test_where_nobody_answers_there_is_one_exception_and_every_reason(company, fleet):
    company.faults.add(Fault(path=LISTING, status=500))
    with pytest.raises(tokenkit.FleetError, match="none of 4 workspaces answered") as raised:
        fleet.tokens()
    assert hosts_of(company)[0] in str(raised.value)
    assert fleet.errors["workspace"].tolist() == hosts_of(company)


def test_a_call_that_every_workspace_refuses_is_the_caller_s_mistake(company, fleet):
    with pytest.raises(tokenkit.UsageError, match="ownr"):
        fleet.tokens(ownr="x")
    assert len(company.requests) == 0
    with pytest.raises(tokenkit.UsageError, match="Did you mean owner"):
        fleet.tokens("ownr == 'x'")
    with pytest.raises(tokenkit.UsageError, match="needs one of user_name"):
        fleet.plan_permissions([{"permission_level": "CAN_USE"}])


def test_a_mistake_of_our_own_in_one_workspace_loses_no_other(company, fleet):
    def odd(workspace):
        if workspace.host == company.host:
            raise ZeroDivisionError("a mistake")
        return workspace.token_management.list()

    assert len(fleet._joined("odd", odd)) == 3 * 80
    assert fleet.errors["kind"].tolist() == ["ZeroDivisionError"]


def test_no_more_workspaces_are_asked_at_once_than_the_bound(company):
    under_way, most, lock = [0], [0], threading.Lock()
    together = threading.Barrier(2, timeout=30)

    def watched(_):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        together.wait()
        with lock:
            under_way[0] -= 1

    tokenkit.fleet(hands(company), workers=2)._each("watch", watched)
    assert most[0] == 2


def test_a_fleet_keeps_no_connection_open(fleet):
    fleet.tokens()
    for workspace in fleet.hosts:
        pools = fleet.workspace(workspace)._transport._adapter.poolmanager.pools
        assert len(pools) == 0


# Dtypes


def test_concat_keeps_the_dtypes_whatever_is_empty_missing_or_absent():
    full = frames.frame(
        [{"token_id": "a", "owner_id": 2**62, "scopes": ["x"], "expiry_time": 1, "risk": 3}], frames.TOKENS
    )
    bare = frames.frame([{"token_id": "b"}], frames.TOKENS)
    nothing = frames.frame([], frames.TOKENS)
    for parts in ([full, bare, nothing], [nothing, bare, full], [bare, nothing], [nothing, nothing]):
        together = frames.concat(parts)
        known = together[list(frames.TOKEN_COLUMNS)]
        assert known.dtypes.to_dict() == nothing.dtypes.to_dict()
        assert len(together) == sum(map(len, parts))
    together = frames.concat([bare, full])
    assert str(together["risk"].dtype) == "Int64"
    assert together["risk"].tolist() == [pd.NA, 3]
    assert together["owner_id"].tolist() == [pd.NA, 2**62]
    assert together["scopes"].tolist()[1] == ["x"]


def test_an_unknown_field_of_two_kinds_keeps_its_values():
    texts, numbers = ({"token_id": "a", "risk": value} for value in ("high", 3))
    nothing_there = {"token_id": "c", "risk": None}
    parts = [frames.frame([row], frames.TOKENS) for row in (texts, numbers, nothing_there)]
    assert frames.concat(parts)["risk"].tolist()[:2] == ["high", 3]
    assert str(frames.concat([parts[2], parts[1]])["risk"].dtype) == "Int64"


def test_the_frame_of_a_fleet_has_the_dtypes_of_a_workspace_s(company, fleet):
    one = hands(company)[0].tokens()
    several = fleet.tokens()
    assert several.dtypes.drop("workspace").to_dict() == one.dtypes.to_dict()
    assert several["workspace"].dtype == frames.TEXT
    nothing = fleet.tokens(owner="nobody at all")
    assert len(nothing) == 0
    assert nothing.dtypes.to_dict() == several.dtypes.to_dict()


def test_a_field_that_only_one_workspace_has_is_empty_for_the_others(company, fleet):
    body = {"token_infos": [{"token_id": "a" * 64, "risk": "high", "comment": "<script>alert(1)</script>"}]}
    company.faults.add(Fault(workspace_id=company.workspaces[3].workspace_id, path=LISTING, status=200, body=body))
    tokens = fleet.tokens()
    assert tokens["risk"].dropna().tolist() == ["high"]
    assert fleet.tokens("risk == 'high'")["workspace"].tolist() == [company.workspaces[3].host]
    listing = fleet.listing()
    assert listing[listing["risk"].notna()]["workspace"].tolist() == [company.workspaces[3].host]


def test_a_workspace_without_a_token_has_no_row_in_a_listing(company, fleet):
    dtypes = fleet.listing().dtypes
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, path=LISTING, status=200, body={}))
    listing = fleet.listing()
    assert set(listing["workspace"]) == set(fleet.hosts) - {company.workspaces[1].host}
    pd.testing.assert_series_equal(listing.dtypes, dtypes)
    company.faults.add(Fault(path=LISTING, status=200, body={}))
    nothing = fleet.listing()
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, dtypes)


# Plans


def victims_of(fleet, each=5):
    tokens = fleet.tokens(status="active")
    others = tokens[tokens["owner"] != "admin@example.com"]
    return others.groupby("workspace").head(each)


def ids(sandbox):
    return {(each.host, token_id) for each in sandbox.workspaces for token_id in each.state.tokens.ids()}


def test_a_plan_revokes_in_several_workspaces_as_one_run(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    victims = victims_of(fleet)
    before = ids(own_company)
    plan = fleet.revoke(victims, reason="a test")
    assert len(plan) == 15
    assert plan.preview()["workspace"].value_counts().tolist() == [5, 5, 5]
    assert list(plan.preview().columns)[:3] == ["workspace", "token_id", "owner"]
    assert ids(own_company) == before  # nothing yet
    result = plan.apply(progress=False)
    assert result["outcome"].tolist() == ["revoked"] * 15
    assert before - ids(own_company) == set(zip(victims["workspace"], victims["token_id"], strict=True))
    journal = fleet.journal()
    assert journal["run_id"].str.rpartition(".")[0].unique().tolist() == [plan.run_id]
    assert sorted(journal["workspace"].unique()) == sorted(fleet.hosts)
    assert tokenkit.resume(plan.run_id, progress=False)["outcome"].tolist() == ["revoked"] * 15  # nothing is left
    assert tokenkit.resume(f"{plan.run_id}.2")["outcome"].tolist() == ["revoked"] * 5  # a part is a run


def test_what_is_left_out_says_where(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    tokens = fleet.tokens()
    own = tokens[tokens["owner"] == "admin@example.com"]
    unknown = pd.DataFrame({"workspace": [own_company.host], "token_id": ["f" * 64]})
    plan = fleet.revoke(pd.concat([own[["workspace", "token_id"]], unknown]))
    assert len(plan) == 0
    assert plan.left_out["reason"].value_counts()["no such token"] == 1
    assert set(plan.left_out["workspace"]) == set(fleet.hosts)
    assert plan.apply()["outcome"].tolist() == []
    assert list(plan.preview().columns)[:2] == ["workspace", "token_id"]


def test_tokens_are_revoked_in_the_workspace_that_the_frame_names_and_in_no_other(own_company, tmp_path):
    """An id that two workspaces have is two tokens."""
    first, second, _ = own_company.workspaces
    twin = victims_of(tokenkit.fleet(hands(own_company, tmp_path))).iloc[0]
    document = first.state.tokens.find(twin["token_id"])
    assert document is not None
    database = first.state.database
    with database.transaction():
        database.change(
            "INSERT INTO tokens (workspace_id, token_id, owner_id, created_by_id, created_by_username, expiry_time, "
            "last_used_day, document) SELECT ?, token_id, owner_id, created_by_id, created_by_username, expiry_time, "
            "last_used_day, document FROM tokens WHERE workspace_id = ? AND token_id = ?",
            (second.workspace_id, first.workspace_id, twin["token_id"]),
        )
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    tokens = fleet.tokens()
    both = tokens[tokens["token_id"] == twin["token_id"]]
    assert both["workspace"].tolist() == [first.host, second.host]
    fleet.revoke(both.tail(1)).apply(progress=False)
    assert (first.host, twin["token_id"]) in ids(own_company)
    assert (second.host, twin["token_id"]) not in ids(own_company)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tokens: tokens["token_id"], "in which workspace"),
        (lambda tokens: tokens["token_id"].tolist(), "in which workspace"),
        (lambda tokens: tokens.drop(columns="workspace"), "in which workspace"),
        (lambda tokens: tokens.assign(workspace="https://elsewhere.example.com"), "no workspace of this fleet"),
        (lambda tokens: tokens.assign(workspace=None), "no workspace of this fleet"),
    ],
)
def test_tokens_without_a_workspace_of_the_fleet_are_refused(fleet, company, change, words):
    tokens = fleet.tokens().head(3)
    company.requests.clear()
    with pytest.raises(tokenkit.UsageError, match=words):
        fleet.revoke(change(tokens))
    assert len(company.requests) == 0


def test_an_empty_frame_makes_an_empty_plan(fleet):
    plan = fleet.revoke(fleet.tokens().head(0))
    assert len(plan) == 0
    assert list(plan.preview().columns) == ["workspace", *tokenkit.fleet_plans.revocation.PREVIEW.names]
    assert len(plan.apply()) == 0
    assert plan.run_id is None


def test_a_workspace_that_cannot_be_planned_for_is_left_and_shown(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    victims = victims_of(fleet)
    failing = own_company.workspaces[1]
    own_company.faults.add(Fault(workspace_id=failing.workspace_id, status=500))
    plan = fleet.revoke(victims)
    assert (len(plan), len(plan.plans)) == (10, 2)
    assert fleet.errors["asked"].tolist() == ["revoke"]
    assert "1 workspace failed" in repr(plan)
    assert "could not be planned" in plan._repr_html_()


def test_a_workspace_that_fails_while_a_plan_is_applied_is_left_for_resume(own_company, tmp_path, capsys):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    victims = victims_of(fleet)
    plan = fleet.revoke(victims)
    failing = own_company.workspaces[2]
    before = ids(own_company)
    own_company.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    result = plan.apply(progress=False)
    assert result["workspace"].value_counts().tolist() == [5, 5, 5]
    failed = result[result["workspace"] == failing.host]
    assert failed["outcome"].tolist() == ["planned"] * 5
    assert failed["error"].str.contains("INTERNAL_ERROR").all()
    assert len(before - ids(own_company)) == 10
    assert f"5 tokens left; tokenkit.resume('{plan.run_id}')" in capsys.readouterr().err
    assert fleet.errors[["workspace", "asked"]].to_numpy().tolist() == [[failing.host, "apply"]]
    own_company.faults.clear()
    result = tokenkit.resume(plan.run_id, workspace=fleet, progress=False)
    assert result["outcome"].tolist() == ["revoked"] * 15
    assert len(before - ids(own_company)) == 15


def test_permissions_change_in_every_workspace_and_the_tokens_that_die_are_shown(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    plan = fleet.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}], replace=True)
    assert plan.preview()["workspace"].nunique() == 3
    assert plan.loses["workspace"].nunique() == 3
    assert {"workspace", "principal", "via"} <= set(plan.gains.columns) & set(plan.keeps_by_another_path.columns)
    assert "3 workspaces will change" in repr(plan)
    before = ids(own_company)
    result = plan.apply(progress=False)
    assert set(result["outcome"]) == {"revoked"}
    assert before - ids(own_company) == set(zip(result["workspace"], result["token_id"], strict=True))


def test_a_right_that_is_taken_and_costs_no_token_is_confirmed_by_how_many_lose_it(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path)[:1])
    before = fleet.permissions()
    newcomer = {"user_name": "new@example.com", "permission_level": "CAN_USE"}
    own_company.workspaces[0].state.directory.add("user", newcomer["user_name"])
    fleet.plan_permissions([newcomer]).apply()
    plan = fleet.plan_permissions(before.drop(columns="workspace"), replace=True)
    assert plan.loses["principal"].tolist() == [newcomer["user_name"]]
    assert (plan.summary().doing, plan.summary().count) == ("take the right from 1 principal", 1)
    plan.apply()
    pd.testing.assert_frame_equal(fleet.permissions(), before)


def test_a_workspace_where_no_token_was_ever_made_has_no_permissions(company, fleet):
    company.faults.add(
        Fault(
            workspace_id=company.workspaces[1].workspace_id,
            path="*/permissions/authorization/tokens",
            status=404,
            body={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"},
        )
    )
    permissions = fleet.permissions()
    assert set(permissions["workspace"]) == set(fleet.hosts) - {fleet.hosts[1]}
    assert len(fleet.errors) == 0
    for workspace in (hands(company)[0], hands(company)[2]):
        part = permissions[permissions["workspace"] == workspace.host].drop(columns="workspace")
        pd.testing.assert_frame_equal(part.reset_index(drop=True), workspace.token_management.get_permissions())


def test_permissions_that_changed_since_the_plan_are_left_alone_there(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    entries = [{"group_name": "contractors", "permission_level": "CAN_USE"}]
    plan = fleet.plan_permissions(entries, replace=True)
    changed = fleet.workspace(own_company.host)
    changed.token_management.update_permissions([{"group_name": "analysts", "permission_level": "CAN_USE"}])
    result = plan.apply(progress=False)
    left = result[result["workspace"] == own_company.host]
    assert set(left["outcome"]) == {"planned"}
    assert left["error"].str.startswith("not begun").all()
    assert left["owner"].notna().all()
    assert set(fleet.journal()["workspace"]) == set(fleet.hosts) - {own_company.host}
    assert fleet.errors["workspace"].tolist() == [own_company.host]
    assert "Plan again" in fleet.errors["message"].iloc[0]
    assert set(result[result["workspace"] != own_company.host]["outcome"]) == {"revoked"}


def test_plans_escape_what_anybody_may_have_written(own_company, tmp_path):
    state = own_company.workspaces[0].state
    hostile = "<img src=x onerror=alert(1)>"
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    victim = victims_of(fleet, each=1).iloc[[0]]
    fleet.workspace(own_company.host).token_management.update_token_management(
        victim["token_id"].iloc[0], {"comment": hostile}, "comment"
    )
    assert state.tokens.find(victim["token_id"].iloc[0]) is not None
    shown = fleet.revoke(victim)._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_stopping_leaves_the_rest_planned_and_resumable(own_company, tmp_path):
    fleet = tokenkit.fleet(hands(own_company, tmp_path))
    plan = fleet.revoke(victims_of(fleet))
    stop = threading.Event()
    stop.set()
    before = ids(own_company)
    result = plan.apply(progress=False, stop=stop)
    assert set(result["outcome"]) == {"planned"}
    assert ids(own_company) == before
    assert set(fleet.resume(plan.run_id, progress=False)["outcome"]) == {"revoked"}


def test_a_run_of_another_fleet_is_carried_out_as_far_as_this_one_goes(own_company, tmp_path, capsys):
    whole = tokenkit.fleet(hands(own_company, tmp_path))
    plan = whole.revoke(victims_of(whole))
    stop = threading.Event()
    stop.set()
    plan.apply(progress=False, stop=stop)
    smaller = tokenkit.fleet(hands(own_company, tmp_path)[:2])
    result = smaller.resume(plan.run_id, progress=False)
    assert result["outcome"].value_counts().to_dict() == {"revoked": 10, "planned": 5}
    assert "is not of this fleet" in smaller.errors["message"].iloc[0]
    with pytest.raises(tokenkit.UsageError, match="no run 'x'"):
        smaller.resume("x")
    with pytest.raises(tokenkit.UsageError, match=rf"a part of it, such as {plan.run_id}\.3"):
        tokenkit.resume(plan.run_id, workspace=hands(own_company, tmp_path)[2])
    assert "\n5 tokens left" in capsys.readouterr().err
