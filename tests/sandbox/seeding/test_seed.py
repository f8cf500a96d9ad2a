import collections
import json
import re

import pytest

from tests.sandbox.conftest import NOON, StoppedClock
from tokenkit.sandbox import Sandbox

NOW_MS = int(NOON * 1000)
DAY_MS = 86_400_000
TODAY = NOW_MS - NOW_MS % DAY_MS


class Look:
    """The contents of a seeded sandbox, read once."""

    def __init__(self, **options):
        sandbox = Sandbox(clock=StoppedClock(), **options)
        try:
            state = sandbox.workspaces[options.get("workspaces", 1) - 1].state
            self.documents = state.tokens.documents()
            self.infos = [json.loads(document) for document in self.documents]
            kinds = ("user", "service_principal", "group")
            self.identities = {identity.id: identity for kind in kinds for identity in state.directory.page(kind)}
            self.holders = state.permissions.holders()
            self.admins = state.directory.principals_in([state.directory.group_id("admins")])
            self.access = {identity.name: level for identity, level in state.permissions.entries()}
            self.maximum = state.settings.get("maxTokenLifetimeDays")
            self.account = (sandbox.account_id, sandbox.client_id, sandbox.client_secret)
        finally:
            sandbox.stop()


@pytest.fixture(scope="module", params=[1000, 60], ids=["1000 tokens", "60 tokens"])
def look(request):
    return Look(tokens=request.param)


def lifetime_days(info):
    return None if info["expiry_time"] == -1 else (info["expiry_time"] - info["creation_time"]) / DAY_MS


def idle_days(info):
    return (TODAY - info["last_used_day"]) / DAY_MS if "last_used_day" in info else None


def active(info):
    return info["expiry_time"] == -1 or info["expiry_time"] > NOW_MS


def age_days(info):
    return (NOW_MS - info["creation_time"]) / DAY_MS


SECRET = re.compile(r"dapi[0-9a-f]{32}|AKIA[0-9A-Z]{16}")
MEANINGLESS = {"test", "x", "token", "tmp", "asdf", "my token", "1", "-", "test2", "new"}
QUESTIONS = {
    "never expires": lambda info, _: info["expiry_time"] == -1,
    "expires within 30 days": lambda info, _: active(info) and 0 < info["expiry_time"] - NOW_MS <= 30 * DAY_MS,
    "is expired": lambda info, _: not active(info),
    "lives 90 days": lambda info, _: lifetime_days(info) == 90,
    "lives a year": lambda info, _: lifetime_days(info) == 365,
    "lives two years": lambda info, _: lifetime_days(info) == 730,
    "unused for 60 days": lambda info, _: active(info) and 60 < (idle_days(info) or 0) < 90,
    "never used": lambda info, _: active(info) and idle_days(info) is None and age_days(info) > 30,
    "new and not yet used": lambda info, _: idle_days(info) is None and age_days(info) < 30,
    "used today": lambda info, _: idle_days(info) == 0,
    "used yesterday": lambda info, _: idle_days(info) == 1,
    "all-apis": lambda info, _: "all-apis" in info.get("scopes", ()),
    "authentication": lambda info, _: "authentication" in info.get("scopes", ()),
    "narrower inferred": lambda info, _: 0 < len(info.get("inferred_scopes", ())) < len(info.get("scopes", ())),
    "narrower backfilled": lambda info, _: 0 < len(info.get("backfill_scopes", ())) < len(info.get("scopes", ())),
    "unscoped": lambda info, _: "scopes" not in info,
    "on behalf of": lambda info, _: info["owner_id"] != info["created_by_id"],
    "of an admin service principal": lambda info, look: (
        info["owner_id"] != info["created_by_id"] and info["owner_id"] in look.admins
    ),
    "owner deleted": lambda info, look: info["owner_id"] not in look.identities,
    "owner inactive": lambda info, look: (owner := look.identities.get(info["owner_id"])) and not owner.active,
    "owner without permission": lambda info, look: info["owner_id"] in look.identities.keys() - look.holders,
    "no comment": lambda info, _: "comment" not in info,
    "meaningless comment": lambda info, _: info.get("comment") in MEANINGLESS,
    "secret in the comment": lambda info, _: SECRET.search(info.get("comment", "")),
    "year 9999": lambda info, _: info["expiry_time"] > 253_402_000_000_000,
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_audit_question_applies_to_some_tokens_and_not_to_all(look, question):
    found = sum(bool(QUESTIONS[question](info, look)) for info in look.infos)
    assert 0 < found < len(look.infos)


def test_a_thousand_tokens_include_every_hostile_comment():
    comments = {info.get("comment") for info in Look(tokens=1000).infos}
    assert {"<img src=x onerror=alert(1)>", '},{"token_id":"0'} <= comments
    assert any("\n" in (comment or "") for comment in comments)
    assert any("🔑" in (comment or "") for comment in comments)


def test_one_owner_has_many_tokens():
    counts = collections.Counter(info["owner_id"] for info in Look(tokens=1000).infos)
    (_, most), (_, second) = counts.most_common(2)
    assert 45 <= most <= 60
    assert second < most / 1.5


def test_no_owner_exceeds_the_quota_in_a_large_workspace():
    counts = collections.Counter(info["owner_id"] for info in Look(tokens=30_000).infos)
    (_, most), (_, second) = counts.most_common(2)
    assert most == 560
    assert second < 300


def test_times_are_consistent(look):
    for info in look.infos:
        assert info["creation_time"] <= NOW_MS
        assert info["expiry_time"] == -1 or info["expiry_time"] > info["creation_time"]
        if "last_used_day" in info:
            day = info["last_used_day"]
            assert day % DAY_MS == 0
            assert info["creation_time"] - info["creation_time"] % DAY_MS <= day <= TODAY
            assert info["expiry_time"] == -1 or day <= info["expiry_time"]
            if active(info):
                assert (TODAY - day) / DAY_MS < 90  # the platform would have revoked it


def test_seeded_documents_match_the_encoder(look):
    for document, info in zip(look.documents, look.infos, strict=True):
        assert json.dumps(info, ensure_ascii=False, separators=(",", ":")).encode() == document
        assert list(info) == sorted(info)


def test_columns_match_the_documents(make_sandbox):
    state = make_sandbox(tokens=1000).workspaces[0].state
    columns = "token_id, owner_id, created_by_id, created_by_username, expiry_time, last_used_day, workspace_id"
    for *row, document in state.database.rows(f"SELECT {columns}, document FROM tokens"):  # noqa: S608
        info = json.loads(document)
        assert row == [info.get(name) for name in columns.split(", ")]


def test_the_same_seed_and_clock_give_the_same_bytes():
    one, two = Look(tokens=300), Look(tokens=300)
    assert one.documents == two.documents
    assert one.identities == two.identities
    assert (one.access, one.account) == (two.access, two.account)


def test_another_seed_gives_another_company():
    one, two = Look(tokens=300), Look(tokens=300, seed=1)
    assert not {info["token_id"] for info in one.infos} & {info["token_id"] for info in two.infos}
    assert one.account != two.account


def test_workspaces_differ_in_people_and_in_policy():
    looks = [Look(tokens=60, workspaces=count) for count in (1, 2, 3, 4)]
    assert [look.maximum for look in looks] == [None, "365", None, "365"]
    assert ["users" in look.access for look in looks] == [False, False, True, False]
    assert all(look.access["admins"] == "CAN_MANAGE" for look in looks)
    ids = [set(look.identities) for look in looks]
    assert not ids[0] & ids[1]
    assert {look.account for look in looks} == {looks[0].account}


@pytest.mark.parametrize("tokens", [1, 2, 5, 27, 28, 29])
def test_a_small_workspace_has_the_requested_number_of_tokens(tokens):
    look = Look(tokens=tokens)
    assert len(look.infos) == tokens
    assert look.infos[0]["created_by_username"] == "admin@example.com"
