"""What is never revoked."""

import json
import os
import threading

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import hands
from tokenkit import cli, errors, frames
from tokenkit.actions import protect
from tokenkit.sandbox import Fault

TOKENS = frames.frame(
    [
        {"token_id": "aa", "comment": "Break glass (prod)", "owner_id": 70},
        {"token_id": "bb", "comment": "x.y", "owner_id": 7},
        {"token_id": "cc"},
    ],
    frames.TOKENS,
).assign(owner=["ann@oncall.example.com", "bob", None])


@pytest.mark.parametrize(
    ("patterns", "protected"),
    [
        ({}, []),
        ({"owners": ["*@oncall.example.com"]}, ["aa"]),
        ({"owners": ["BOB"]}, ["bb"]),
        ({"owners": ["bo"]}, []),
        ({"owners": ["7"]}, ["bb"]),
        ({"owners": ["70", "ann"]}, ["aa"]),
        ({"comments": ["7"], "token_ids": ["70"]}, []),
        ({"comments": ["*break glass*"]}, ["aa"]),
        ({"comments": ["x?y"]}, ["bb"]),
        ({"comments": ["xzy"]}, []),
        ({"token_ids": ["cc"], "owners": ["bob"]}, ["bb", "cc"]),
        ({"owners": ["*"]}, ["aa", "bb", "cc"]),
    ],
)
def test_patterns_match_whole_texts_in_any_case(patterns, protected):
    reasons = protect.protected(TOKENS, patterns)
    assert TOKENS["token_id"][reasons != ""].tolist() == protected


def test_the_file_is_read_and_none_protects_nothing(tmp_path):
    assert protect.read_protected(tmp_path) == {}
    (tmp_path / "config.toml").write_text('[protect]\nowners = ["terraform"]\n')
    assert protect.read_protected(tmp_path) == {"owners": ["terraform"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[protect]\nowner = ['x']", "Did you mean owners"),
        ("[protects]\nowners = ['x']", "Did you mean protect"),
        ("[Protect]\nowners = ['x']", "Did you mean protect"),
        ("owners = ['x']", "no table 'owners'"),
        ("[other]\nx = 1\n[protect]\nowners = ['x']", "no table 'other'"),
        ("protect = 'x'", "must be a table"),
        ("[[protect]]\nowners = ['x']", "must be a table"),
        ("[protect]\nowners = 'x'", "list of texts"),
        ("[protect]\nowners = 5", "list of texts"),
        ("[protect]\nowners = [1]", "list of texts"),
        ("[protect]\nowners = [['x']]", "list of texts"),
        ("[protect.owners]\nx = 'y'", "list of texts"),
        ("[protect]\nowners = ['']", "a pattern is empty"),
        ("[protect]\ncomments = ['x', ' ']", "a pattern is empty"),
        ("[protect]\nowners = [' terraform']", "has a blank or an invisible character"),
        ("[protect]\nowners = ['terraform\u200b']", "has a blank or an invisible character"),
        ("[protect]\ntoken_ids = ['3f1c']", "is not a token id. Write all 64 digits, or a pattern"),
        ("[protect]\ntoken_ids = ['3f1c…']", "is not a token id"),
        (f"[protect]\ntoken_ids = [' {'a' * 64}']", "has a blank or an invisible character"),
        (f"[protect]\ntoken_ids = ['{'a' * 63}g']", "is not a token id"),
        ("[protect]\nowners = ['x']\nowners = ['y']", "it is not known what it protects"),
        ("[protect", "it is not known what it protects"),
        ("x = " + "[" * 100_000, "it is not known what it protects"),
        ("x = " + "9" * 10_000, "it is not known what it protects"),
    ],
)
def test_a_protection_that_is_misspelled_is_an_error_and_not_none(tmp_path, text, words):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(errors.ConfigurationError, match=words) as raised:
        protect.read_protected(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("token_id", ["a" * 64, "A" * 64, "3f1c*", "3F1C*", "*", "?" * 64])
def test_whole_token_ids_and_patterns_of_them_are_taken(token_id):
    assert protect.check({"token_ids": [token_id]}) == {"token_ids": [token_id]}


def test_a_byte_order_mark_is_read_over(tmp_path):
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[protect]\r\nowners = ['terraform']\r\n")
    assert protect.read_protected(tmp_path) == {"owners": ["terraform"]}


def link_that_leads_nowhere(path):
    path.symlink_to(path.with_name("nowhere"))


UNREADABLE = {
    "a link that leads nowhere": link_that_leads_nowhere,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "another encoding": lambda path: path.write_bytes("[protect]".encode("utf-16")),
    "no text": lambda path: path.write_bytes(b"\xff\x00"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_an_error_and_not_no_protection(tmp_path, what):
    UNREADABLE[what](tmp_path / "config.toml")
    with pytest.raises(errors.ConfigurationError, match="it is not known what it protects"):
        protect.read_protected(tmp_path)


def test_a_folder_that_is_a_link_to_nowhere_is_an_error(tmp_path):
    (tmp_path / "home").symlink_to(tmp_path / "nowhere")
    with pytest.raises(errors.ConfigurationError, match=r"the target of the link .* does not exist"):
        protect.read_protected(tmp_path / "home")


@pytest.mark.parametrize("given", [{"owner": ["x"]}, {"owners": "x"}, {"owners": 5}, {"owners": {"x": 1}}, "owners", 5])
def test_a_protection_by_argument_is_checked_alike(given):
    with pytest.raises(errors.ConfigurationError, match=r"protect"):
        protect.check(given)


# Every plan, and every way to carry one out.


def write(ws, **patterns):
    ws.folder.mkdir(parents=True, exist_ok=True)
    (ws.folder / "config.toml").write_text(
        f"[protect]\n{''.join(f'{k} = {json.dumps(v)}' for k, v in patterns.items())}"
    )


def in_the_workspace(company, token_id):
    return next((i for i in company.workspaces[0].state.tokens.infos() if i["token_id"] == token_id), None)


def stopped():
    stop = threading.Event()
    stop.set()
    return stop


def resumed(ws, plan):
    plan.apply(stop=stopped())
    return tokenkit.resume(plan.run_id, workspace=ws)


REVOKED_BY = {
    "apply": lambda _ws, plan: plan.apply(),
    "despite drift": lambda _ws, plan: plan.apply(despite_drift=True),
    "resume": resumed,
}


@pytest.mark.parametrize("how", REVOKED_BY)
@pytest.mark.parametrize("by", ["token_ids", "owners", "comments"])
def test_a_token_that_is_protected_since_the_plan_is_skipped(ws, company, victims, how, by):
    named = victims[victims["comment"].notna() & ~victims["comment"].str.contains(r"[*?]", na=False)]
    one = named.iloc[0]
    plan = ws.revoke(named)
    write(ws, **{by: [{"token_ids": one.token_id, "owners": one.owner, "comments": one.comment}[by]]})
    result = REVOKED_BY[how](ws, plan).set_index("token_id")
    assert result.loc[one.token_id, "outcome"] == "skipped"
    assert result.loc[one.token_id, "error"].startswith("protected: ")
    assert in_the_workspace(company, one.token_id)
    assert (result["outcome"] == "revoked").any()


def test_a_token_that_is_protected_during_the_grace_is_skipped(ws, company, connected, victims):
    one, other = victims["token_id"].iloc[:2]
    staged = ws.revoke([one, other]).stage(grace="14d")
    write(ws, token_ids=[one])
    later = connected(company, home=ws.folder, clock=NOW + pd.Timedelta(days=15))
    assert tokenkit.resume(staged.run_id, workspace=later)["outcome"].tolist() == ["skipped", "revoked"]
    assert in_the_workspace(company, one)


def test_what_a_plan_was_told_to_protect_is_protected_when_it_is_resumed(ws, company, victims):
    one = victims["token_id"].iloc[0]
    plan = ws.revoke(victims.head(2), protect={"comments": ["*break glass*"]})
    plan.apply(stop=stopped())
    state = company.workspaces[0].state
    state.tokens.replace({**in_the_workspace(company, one), "comment": "now for break glass"})
    assert tokenkit.resume(plan.run_id, workspace=ws)["outcome"].tolist() == ["skipped", "revoked"]


def test_a_listing_without_the_protected_token_does_not_unprotect_it(ws, company, victims):
    one = victims["token_id"].iloc[0]
    plan = ws.revoke(victims.head(2))
    write(ws, token_ids=[one])
    company.faults.add(Fault(method="GET", path="/api/2.0/token-management/tokens", status=200, body={}))
    assert plan.apply().set_index("token_id").loc[one, "outcome"] == "skipped"


def test_a_protection_that_cannot_be_read_stops_a_run_before_anything_is_sent(ws, company, victims):
    plan = ws.revoke(victims)
    write(ws, owner=["x"])
    company.requests.clear()
    with pytest.raises(tokenkit.ConfigurationError):
        plan.apply()
    assert {record.method for record in company.requests} <= {"GET"}


def test_an_update_leaves_protected_tokens_out_and_so_does_its_undo(ws, company, victims):
    one, other, third = victims["token_id"].iloc[:3]
    write(ws, token_ids=[one])
    plan = ws.plan_update([one, other, third], comment="new")
    assert plan.token_ids == (other, third)
    assert plan.left_out[["token_id", "reason"]].to_numpy().tolist() == [[one, f"protected: token_id {one}"]]
    write(ws, token_ids=[one, other])
    assert plan.apply()["outcome"].tolist() == ["skipped", "updated"]
    assert in_the_workspace(company, third)["comment"] == "new"
    write(ws, token_ids=[third])
    undo = plan.undo()
    assert (undo.token_ids, undo.left_out["token_id"].tolist()) == ((), [third])


ONLY_ENGINEERS = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]


def test_a_change_of_permissions_that_costs_protected_tokens_is_rejected_unless_each_is_allowed(ws, ids, company):
    everything = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    one, other = everything.token_ids[:2]
    write(ws, token_ids=[one, other])
    before = ids(company)
    for allowed, left in (((), {one, other}), ([one], {other})):
        plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True, allow_protected=allowed)
        assert set(plan.protected["token_id"]) == left
        assert list(plan.protected.columns) == ["token_id", "owner", "comment", "reason"]
        with pytest.raises(tokenkit.UsageError, match=next(iter(left))):
            plan.apply()
    assert ids(company) == before
    assert len(ws.runs()) == 0
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True, allow_protected=[one, other])
    assert len(plan.protected) == 0
    assert set(plan.apply()["outcome"]) == {"revoked"}


@pytest.mark.parametrize(("count", "named"), [(5, 5), (6, 6), (7, 5)])
def test_a_rejected_change_of_permissions_names_some_protected_tokens_and_the_preview_all(ws, count, named):
    protected = ws.plan_permissions(ONLY_ENGINEERS, replace=True).token_ids[-count:]
    write(ws, token_ids=list(protected))
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    with pytest.raises(tokenkit.UsageError, match=f"would delete {count} protected tokens") as refused:
        plan.apply()
    assert sum(f"{token_id} (protected" in str(refused.value) for token_id in protected) == named
    more = " and 2 more. plan.preview() shows all of them. Allow each by its id"
    assert (more if named < count else "). Allow each by its id") in str(refused.value)
    rows = plan.preview()
    assert set(rows.loc[rows["protected"] != "", "token_id"]) == set(protected)
    tokens = plan._in_short().tables[-1].rows
    assert tokens["protected"].str.startswith("protected: token_id ").tolist() == [True] * count + [False] * (
        20 - count
    )


def test_in_a_shell_a_dry_run_lists_all_protected_tokens_first(ws, company, connected, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    monkeypatch.setenv("TOKENKIT_HOME", str(ws.folder))
    protected = connected(company, clock=None).plan_permissions(ONLY_ENGINEERS, replace=True).token_ids[-8:]
    write(ws, token_ids=list(protected))
    assert cli.main(["permissions", "set", "group:data-engineers"]) == 2
    assert " and 3 more. --dry-run shows all of them. Allow each" in capsys.readouterr().err
    assert cli.main(["permissions", "set", "group:data-engineers", "--dry-run", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["token_id"] for row in rows[:8]} == set(protected)
    assert [row["protected"] != "" for row in rows] == [True] * 8 + [False] * (len(rows) - 8)


def test_a_token_that_is_protected_since_stops_a_change_of_permissions(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    company.faults.add(Fault(method="PUT", status=400, times=1))
    with pytest.raises(tokenkit.InvalidParameterError):
        plan.apply()
    before = ids(company)
    write(ws, token_ids=[plan.token_ids[0]])
    for execute in (plan.apply, lambda: tokenkit.resume(plan.run_id, workspace=ws)):
        with pytest.raises(tokenkit.UsageError, match="protected"):
            execute()
    assert ids(company) == before


def test_a_change_in_a_fleet_that_costs_a_protected_token_anywhere_is_made_nowhere(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    one = fleet.plan_permissions(ONLY_ENGINEERS, replace=True).preview()["token_id"].iloc[0]
    write(fleet.workspace(fleet.hosts[0]), token_ids=[one])
    plan = fleet.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert plan.protected["token_id"].tolist() == [one]
    own_companies.requests.clear()
    with pytest.raises(tokenkit.UsageError, match=one):
        plan.apply(progress=False)
    assert len(own_companies.requests) == 0
    allowed = fleet.plan_permissions(ONLY_ENGINEERS, replace=True, allow_protected=[one])
    assert set(allowed.apply(progress=False)["outcome"]) == {"revoked"}


def test_in_a_shell_each_protected_token_is_allowed_by_its_id(ws, company, connected, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    monkeypatch.setenv("TOKENKIT_HOME", str(ws.folder))
    today = connected(company, clock=None)
    one = today.plan_permissions(ONLY_ENGINEERS, replace=True).token_ids[0]
    write(ws, token_ids=[one])
    words = ["permissions", "set", "group:data-engineers", "--yes"]
    assert cli.main(words) == 2
    assert one in capsys.readouterr().err
    assert cli.main([*words, "--allow-protected", one]) == 0
    assert in_the_workspace(company, one) is None


# Owners whose names resemble a protected one.


def of(*owners):
    rows = [{"token_id": f"{number:064x}", "owner_id": 1000 + number} for number in range(len(owners))]
    return frames.frame(rows, frames.TOKENS).assign(owner=pd.Series(owners, dtype=frames.TEXT))


@pytest.mark.parametrize(
    ("pattern", "owner", "others"),
    [
        ("terraform", "terraform-prod", ["terraform"]),
        ("terraform", "Terraform SP", []),
        ("terraform", "prod_terraform2", ["terraform"]),
        ("terraform", "TerraformProd", ["terraform"]),
        ("terraform-*", "Terraform", ["terraform-prod"]),
        ("GitHub", "github-actions", ["github"]),
        ("github actions", "GitHubActions", []),
        ("GitHub Actions", "prod-github-actions", ["github actions"]),
        ("terraform", "terraform@example.com", []),
        ("terrafrom", "terraform", []),
        ("terrafrom", "terraform-prod", []),
        ("anna@example.com", "anna@exmaple.com", []),
        ("annabel@example.com", "anabel@example.com", []),
        ("*@oncall.example.com", "ann@on-call.example.com", []),
    ],
)
def test_an_owner_whose_name_resembles_a_protected_one_is_found(pattern, owner, others):
    listing = of(owner, owner, *others)
    found = protect.resembling(listing.head(2), listing, {"owners": [pattern]})
    expected = f"owner {owner!r} is not protected, although its name resembles the protected {pattern!r}"
    assert found == {expected: 2}


@pytest.mark.parametrize(
    ("pattern", "owner", "others"),
    [
        ("terraform", "airflow", ["terraform"]),
        ("terraform", "platform-team", []),
        ("terraform", "terraformation", ["terraform"]),
        ("terraform", "ann@terraform.example.com", []),
        ("terraform", "terrafrom", ["terraform"]),  # the pattern is not misspelled: it matches an owner
        ("data", "data-engineers", ["data"]),
        ("dbt*", "prod-dbt", []),
        ("12345", "job-12345", []),
        ("*", "anyone", []),
        ("svc-*-prod", "svc-etl-test", []),
        ("terra*form", "terraform-prod", ["terraform"]),
        ("terra?form", "terraform-prod", ["terra-form"]),
        ("maria@example.com", "maria.lopez@example.com", ["maria@example.com"]),
        ("maria@example.com", "mario@example.com", ["maria@example.com"]),
        ("maria.lopez@example.com", "mario.lopez@example.com", ["maria.lopez@example.com"]),
        ("bob@example.com", "rob@example.com", []),
        ("bob@example.org", "rob@example.com", []),
        ("*@oncall.example.com", "ann@example.com", []),
        ("*@oncall.example.com", "oncall", []),
    ],
)
def test_short_patterns_and_unrelated_names_do_not_resemble(pattern, owner, others):
    listing = of(owner, *others)
    assert protect.resembling(listing.head(1), listing, {"owners": [pattern]}) == {}


def test_no_tokens_missing_owners_and_long_names_are_no_problem():
    listing = of(None, " ".join("ab" * 500_000), "-", "")
    for tokens in (listing, listing.head(0)):
        assert protect.resembling(tokens, listing, {"owners": ["terraform"], "comments": ["x"]}) == {}


def test_a_plan_to_revoke_warns_of_owners_that_resemble_a_protected_one(ws, victims):
    people = victims.loc[victims["owner_kind"] == "user", "owner"].value_counts().head(5)
    write(ws, owners=[name.partition("@")[0].replace(".", " ") for name in people.index])
    plan = ws.revoke(victims)
    first, count = people.index[0], people.iloc[0]
    closing = repr(plan._in_short()).splitlines()
    sentences = [line for line in closing if "although its name resembles the protected" in line]
    assert len(sentences) == 3
    assert any(line.startswith(f"Owner {first!r} is not protected") and f"({count} token" in line for line in sentences)
    assert "… and 2 more owners with such a name." in closing
    assert closing[-1].startswith("Warnings: ")
    write(ws, owners=people.index.tolist())
    assert ws.revoke(victims).summary().unprotected == []
    assert ws.revoke([]).summary().unprotected == []


def test_a_plan_in_a_fleet_sums_the_tokens_of_an_owner_that_resembles_a_protected_one(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    tokens = fleet.tokens("owner_kind == 'service_principal'", status="active")
    owner, count = next(iter(tokens["owner"].value_counts().items()))
    for host in fleet.hosts:
        write(fleet.workspace(host), owners=[f"{owner[:-1]}"])
    (sentence,) = fleet.revoke(tokens[tokens["owner"] == owner]).summary().unprotected
    assert sentence.startswith(f"Owner {owner!r} is not protected")
    assert sentence.endswith(f"({count} token{'s' * (count > 1)}).")
