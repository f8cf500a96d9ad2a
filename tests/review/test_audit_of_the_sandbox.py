"""The findings on the seeded company, counted once more in plain Python from what the wire says."""

import dataclasses
import re
from collections import Counter

import pytest
import requests

import tokenkit
from tests.conftest import NOW
from tokenkit.review.rules import RULES
from tokenkit.sandbox import Sandbox

DAY = 86_400_000
WORKSPACE = "the workspace"
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture(scope="module", params=[(1_500, 0, 1), (900, 4, 2), (700, 9, 3)])
def company(request):
    """Workspaces of several seeds and positions: with and without a maximum, and one where everybody may."""
    tokens, seed, position = request.param
    with Sandbox(tokens=tokens, seed=seed, workspaces=position, clock=NOW.timestamp) as sandbox:
        yield sandbox.workspaces[position - 1]


def ask(company, path):
    answer = requests.get(
        f"{company.host}/api/2.0/{path}", headers={"Authorization": f"Bearer {company.token}"}, timeout=60
    )
    answer.raise_for_status()
    return answer.json()


def scim(company, resource):
    return {each["id"]: each for each in ask(company, f"preview/scim/v2/{resource}?count=100000")["Resources"]}


class Documents:
    """What the workspace says, as it says it."""

    def __init__(self, company):
        self.tokens = ask(company, "token-management/tokens")["token_infos"]
        self.users = scim(company, "Users")
        self.programs = scim(company, "ServicePrincipals")
        self.groups = scim(company, "Groups")
        conf = ask(company, "preview/workspace-conf?keys=maxTokenLifetimeDays,enableTokensConfig")
        self.enabled = conf.get("enableTokensConfig") != "false"
        self.maximum = int(conf.get("maxTokenLifetimeDays") or 0)
        self.acl = ask(company, "permissions/authorization/tokens")["access_control_list"]
        self.admins = self.within(next(each for each in self.groups.values() if each["displayName"] == "admins"))

    def within(self, group):
        """Return the ids within a group, however deep."""
        found = set()
        for member in group.get("members") or ():
            inner = self.groups.get(member["value"])
            found |= self.within(inner) if inner else {member["value"]}
        return found

    def owner(self, token):
        return self.users.get(str(token["owner_id"])) or self.programs.get(str(token["owner_id"]))

    def creator(self, token):
        known = {**self.users, **self.programs}
        return known.get(str(token["created_by_id"]), {"active": False})


def lifetime(token):
    return float("inf") if token["expiry_time"] == -1 else token["expiry_time"] - token["creation_time"]


def until_expiry(token):
    return float("inf") if token["expiry_time"] == -1 else token["expiry_time"] - NOW_MS


def idle(token):
    return NOW_MS - max(token.get("last_used_day", 0), token["creation_time"])


def unused_scopes(token):
    known = [*(token.get("inferred_scopes") or ()), *(token.get("backfill_scopes") or ())]
    return [scope for scope in token.get("scopes") or () if scope not in known]


EMPTY = {"", "test", "x", "token", "tmp", "asdf", "my token", "1", "-", "test2", "new", "-2+3"}
OBSERVED = {"AUTOSCOPE_STATE_COMPLETED", "AUTOSCOPE_STATE_BACKFILLED"}
SECRET = re.compile(r"dapi[0-9a-f]{32}|AKIA[0-9A-Z]{16}")
OF_A_TOKEN = {
    "inactive-owner": lambda t, w: w.owner(t) is None or w.owner(t).get("active") is False,
    "inactive-creator": lambda t, w: (
        str(t["owner_id"]) in w.programs
        and t["created_by_id"] != t["owner_id"]
        and w.creator(t).get("active", True) is False
    ),
    "admin-service-principal": lambda t, w: (
        str(t["owner_id"]) in w.programs and str(t["owner_id"]) in w.admins and t["created_by_id"] != t["owner_id"]
    ),
    "broad-scope": lambda t, _: bool({"all-apis", "authentication"} & set(t.get("scopes") or ())),
    "no-expiry": lambda t, _: t["expiry_time"] == -1,
    "long-lifetime": lambda t, _: t["expiry_time"] != -1 and lifetime(t) > 90 * DAY,
    "lifetime-over-maximum": lambda t, w: w.maximum > 0 and lifetime(t) > w.maximum * DAY,
    "unused": lambda t, _: "last_used_day" in t and idle(t) >= 60 * DAY,
    "never-used": lambda t, _: "last_used_day" not in t and idle(t) >= 30 * DAY,
    "unused-scopes": lambda t, _: t.get("autoscope_state") in OBSERVED and bool(unused_scopes(t)),
    "no-comment": lambda t, _: t.get("comment", "") in EMPTY,
    "expires-soon": lambda t, _: min(until_expiry(t), 90 * DAY - idle(t)) <= 7 * DAY,
}


def pluralize(company):
    """Return the ids of the tokens that each rule finds, with a loop; of owners, for near-token-quota."""
    said = Documents(company)
    working = [token for token in said.tokens if token["expiry_time"] == -1 or token["expiry_time"] > NOW_MS]
    found = {rule: [t["token_id"] for t in working if finds(t, said)] for rule, finds in OF_A_TOKEN.items()}
    found["secret-in-comment"] = [t["token_id"] for t in said.tokens if SECRET.search(t.get("comment", ""))]
    per_owner = Counter(token["owner_id"] for token in working)
    found["near-token-quota"] = [owner for owner, count in per_owner.items() if count >= 480]
    found["no-maximum-lifetime"] = [WORKSPACE] if said.enabled and not said.maximum else []
    found["all-users-can-use"] = [WORKSPACE] if any(entry.get("group_name") == "users" for entry in said.acl) else []
    return {rule: sorted(ids) for rule, ids in found.items()}


def test_the_findings_are_those_that_a_loop_over_the_documents_finds(company):
    workspace = tokenkit.connect(host=company.host, token=company.token, clock=NOW)
    findings = workspace.audit().findings
    ours = {rule.id: sorted(findings["token_id"][findings["rule"] == rule.id].fillna(WORKSPACE)) for rule in RULES}
    assert ours == pluralize(company)
    assert sum(map(bool, ours.values())) >= 12


@pytest.mark.parametrize("how", ["deactivated", "deleted"])
def test_an_inactive_creator_of_a_service_principals_token_is_found(fresh_sandbox, connected, how):
    ws, directory = connected(fresh_sandbox), fresh_sandbox.workspaces[0].state.directory
    creator = directory.add("user", "leaver@example.com")
    principals = ws.service_principals().set_index("id")
    tokens = fresh_sandbox.workspaces[0].state.tokens
    before = {"created_by_id": creator.id, "created_by_username": creator.name}
    info = next(info for info in tokens.infos() if info["owner_id"] in principals.index)
    tokens.replace({**info, **before, "expiry_time": NOW_MS + 60 * DAY})
    assert info["token_id"] not in set(ws.audit(["inactive-creator"]).findings["token_id"])
    if how == "deleted":
        directory.remove(creator.id)
    else:
        directory.replace(dataclasses.replace(creator, active=False))
    found = ws.audit(["inactive-creator"]).findings.set_index("token_id").loc[info["token_id"]]
    said = {"deactivated": "is inactive", "deleted": "was deleted"}[how]
    assert found["evidence"] == f"its creator leaver@example.com {said}"
    assert found["owner"] == principals.loc[info["owner_id"], "display_name"]


def test_an_owner_close_to_the_quota_is_found():
    with Sandbox(tokens=11_500, clock=NOW.timestamp) as sandbox:
        workspace = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW)
        found = workspace.audit(["near-token-quota"]).findings
        assert len(found) == len(pluralize(sandbox.workspaces[0])["near-token-quota"]) == 1
        assert found["evidence"].str.fullmatch(r"5\d\d tokens of 600").all()
