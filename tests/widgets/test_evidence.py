"""What used each token, on both screens: the column, the panel, plans with this evidence, and where addresses stay."""

import json

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tests.widgets.test_hostile import HOSTILE, MARK, TEXT_ONLY, parts, places
from tokenkit import errors
from tokenkit.sandbox.state.audit_rows import GivenRows
from tokenkit.widgets.saved import explore

ADDRESS = "192.0.2.77"
UNUSED_SENTENCE = "A token without a sign-in in the log is not proven to be unused."


@pytest.fixture
def targets(ws):
    """Two tokens of others that the listing calls unused for a long time: the first signs in, the second does not."""
    found = ws.tokens("owner_kind == 'user' and idle_days > 30", status="active")
    return found.loc[found["owner"] != ws.me(), "token_id"].head(2).tolist()


def events(token_id, programs=("dbt/1.7",), **values):
    then = (NOW - pd.Timedelta(hours=3)).isoformat()
    return [event(token_id, event_time=then, source_ip_address=ADDRESS, user_agent=name, **values) for name in programs]


@pytest.fixture
def usage(ws, targets):
    rows = events(targets[0], ["dbt/1.7"] * 1100 + ["curl/8"] * 100) + events("f" * 64)
    return ws.usage(rows=frame(*rows))


@pytest.fixture
def user(ws, usage, browser):
    return browser(ws.explore(usage=usage))


def titles(user):
    return [column["title"] for column in user.sections["table"]["columns"]]


def used(user):
    return {row["id"]: row["used_by"] for row in user.sections["table"]["rows"]}


def test_the_column_is_there_only_with_evidence(ws, user, browser):
    assert titles(user) == ["Token", "Findings", "Last used", "Used by", "Expires", "Scopes"]
    without = browser(ws.explore())
    assert "Used by" not in titles(without)
    without.do("look", id=without.page[0])
    assert without.sections["panel"]["use"] is None
    assert "used_by" not in without.sections["table"]["rows"][0]
    assert without.sections["about"]["lacks"] == ""


def test_it_sorts_by_the_last_sign_in_and_names_the_program(user, targets):
    user.do("sort", column="used_by")
    assert user.page[0] == targets[0]
    shown = used(user)
    assert shown.pop(targets[0]) == ["dbt and 1 more", "3 hours ago"]
    assert set(map(tuple, shown.values())) == {("no sign-in", "in the log")}
    assert user.says == "Sorted by Used by, descending."


def test_tokens_are_filtered_by_what_uses_them(user, targets):
    user.do("choices", field="used_by")
    assert {item["label"]: item["count"] for item in user.sections["choices"]["items"]} == {"dbt": 1, "curl": 1}
    user.do("toggle", field="used_by", value="curl", on=True)
    assert user.page == [targets[0]]
    assert user.sections["filters"]["chips"][0]["label"] == "Used by: curl"
    user.do("refresh")
    assert user.page == [targets[0]]


def test_the_panel_counts_programs_sign_ins_and_addresses_and_gives_the_share(user, targets):
    user.do("look", id=targets[0])
    use = user.sections["panel"]["use"]
    assert dict(use["sentences"]) == {
        "Programs": "dbt (1,100), curl (100)",
        "Sign-ins": "1,200 on 1 day",
        "First use": "2026-03-01 06:30 UTC",
        "Last use": "2026-03-01 06:30 UTC, 3 hours ago",
        "Networks": "192.0.2.0/24 (1,200)",
    }
    assert use["addresses"] == [["Addresses", f"{ADDRESS} (1,200)"]]
    assert "1 of 2 tokens in the audit log is in the listing" in use["note"]


def test_a_token_without_a_sign_in_is_never_called_unused(user, targets):
    user.do("look", id=targets[1])
    use = user.sections["panel"]["use"]
    assert (use["sentences"], use["addresses"]) == ([], [])
    assert use["note"].startswith("The audit log does not show a sign-in with this token.")
    assert use["note"].endswith(UNUSED_SENTENCE)


@pytest.mark.parametrize(
    ("matching", "others", "share"),
    [
        (1, 0, "1 of 1 token in the audit log is in the listing"),
        (1, 3, "1 of 4 tokens in the audit log is in the listing"),
        (0, 3, "0 of 3 tokens in the audit log are in the listing, so the log shows nothing about the listed tokens"),
        (0, 0, "The audit log has no sign-in with a token in this period"),
    ],
)
def test_the_share_is_shown_wherever_the_evidence_is(ws, targets, browser, person, matching, others, share):
    rows = [row for token_id in targets[:matching] for row in events(token_id)]
    rows += [row for number in range(others) for row in events(f"{number:064x}")]
    usage = ws.usage(rows=frame(*rows))
    user = browser(ws.explore(usage=usage))
    assert user.sections["about"]["lacks"] == share
    user.do("look", id=targets[1])
    assert share in user.sections["panel"]["use"]["note"]
    user.tick(*targets)
    user.do("act", action="revoke")
    (line,) = user.asks["lines"]
    assert line.startswith(share)
    assert line.endswith(UNUSED_SENTENCE)
    assert any(share in line for line in person(ws.explore(usage=usage, plain=True).widget).reads())
    assert line in repr(ws.revoke(targets, usage)._in_short())
    assert line in ws.audit(usage=usage).notes
    assert line in tokenkit.fleet([ws]).revoke(ws.tokens().assign(workspace=ws.host).head(2), usage).summary().evidence


def test_a_selection_of_the_evidence_keeps_the_share_of_all(ws, usage, targets, browser):
    user = browser(ws.explore(usage=usage[usage["token_id"] == targets[0]]))
    assert user.sections["about"]["lacks"] == "1 of 2 tokens in the audit log is in the listing"


def test_a_plan_of_the_screen_carries_the_evidence_and_its_warning(user, targets):
    user.tick(*targets)
    user.do("act", action="revoke")
    (table,) = user.asks["tables"]
    rows = {row[0][3]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    first, second = (rows[token_id[:12]] for token_id in targets)
    assert first["Used by"] == ["text", "dbt and 1 more from 192.0.2.0/24, 1,200 sign-ins, 3 hours ago"]
    assert "used in the last 7 days" in first["Warnings"][1]
    assert second["Used by"] == ["text", "no sign-in in the audit log"]
    assert next(card["count"] for card in user.asks["cards"] if card["label"] == "used in the last 7 days") == 1


def test_the_plain_screen_shows_the_evidence_without_addresses(ws, usage, targets, person):
    explorer = ws.explore(usage=usage, plain=True)
    user = person(explorer.widget)
    user.choose("Sort by", "Used by")
    label, key = user.tokens.options[0]
    assert key == targets[0]
    assert "used by dbt and 1 more, 3 hours ago" in label
    user.choose("Details of", label)
    read = user.reads()
    assert "Programs: dbt (1,100), curl (100)" in read
    assert "Networks: 192.0.2.0/24 (1,200)" in read
    assert any(line.startswith("Addresses: only in the frame") for line in read)
    assert ADDRESS not in json.dumps([part.get_state() for part in parts(explorer.widget)], default=repr)
    user.choose("Details of", user.tokens.options[1][0])
    assert any("does not show a sign-in with this token" in line for line in user.reads())
    explorer.select(targets)
    user.press("Revoke")
    assert any("dbt and 1 more from 192.0.2.0/24, 1,200 sign-ins" in line for line in user.reads())


def test_addresses_are_in_no_file_and_in_no_state_of_a_widget(ws, usage, targets, browser, tmp_path):
    explorer = ws.explore(usage=usage)
    user = browser(explorer)
    user.do("look", id=targets[0])
    assert ADDRESS in json.dumps(user.received)
    assert ADDRESS not in json.dumps([part.get_state() for part in parts(explorer.widget)], default=repr)
    assert ADDRESS not in json.dumps(explorer._repr_mimebundle_())
    written = explorer.export(tmp_path / "tokens.csv").read_text()
    assert ADDRESS not in written
    assert "dbt" in written
    user.tick(targets[0])
    user.revoke(1)
    assert ADDRESS not in ws.journal().to_csv() + ws.runs().to_csv()
    assert b"192.0.2" not in b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())


@pytest.fixture
def log(company):
    """The events of the sandbox's warehouse, which a test fills."""
    found = []
    company.warehouse.log = GivenRows(found)
    return found


def sign_in(token_id, *, days_later, program="dbt/1.7"):
    return event(token_id, event_time=(NOW + pd.Timedelta(days=days_later)).isoformat(), user_agent=program)


@pytest.fixture
def scheduled(ws, company, log, targets, browser, connected, tmp_path):
    """A revocation of both, scheduled on the screen with the evidence of the warehouse; and a screen when it is due."""
    log.append(sign_in(targets[0], days_later=-9))
    user = browser(ws.explore(usage=ws.usage(warehouse_id=company.warehouse.warehouse_id)))
    user.tick(*targets)
    user.do("act", action="schedule")
    user.confirm(2, grace="7d")
    run_id = user.asks["run"]
    log.append(sign_in("e" * 64, days_later=7.9))  # the log is up to date
    later = browser(connected(company, home=tmp_path / "home", clock=NOW + pd.Timedelta(days=8)).explore())
    later.do("look", id=targets[0])
    assert later.sections["panel"]["schedule"]["run"] == run_id
    return later, run_id


def test_a_run_scheduled_on_the_screen_reads_the_log_again_when_it_is_due(scheduled, log, targets, ids):
    later, run_id = scheduled
    log.append(sign_in(targets[0], days_later=3))
    before = ids()
    later.do("resume", run=run_id)
    assert later.asks["lines"] == ["Left out: 1 token (signed in since the plan, on 2026-03-04 by dbt)."]
    later.confirm(1)
    assert before - ids() == {targets[1]}


def test_a_run_whose_evidence_cannot_be_read_again_revokes_nothing_on_the_screen(scheduled, company, ids):
    later, run_id = scheduled
    company.warehouse.is_denied = True
    before = ids()
    later.do("resume", run=run_id)
    assert later.asks["phase"] == "failed"
    assert "planned with evidence of use, which cannot be read again" in later.asks["error"]
    assert "Nothing was sent." in later.asks["error"]
    assert ids() == before


def test_a_fleet_and_a_saved_listing_show_it_too(ws, usage, targets, browser):
    fleet = browser(tokenkit.fleet([ws]).explore(usage=usage))
    assert titles(fleet)[3] == "Used by"
    fleet.do("sort", column="used_by")
    fleet.tick(fleet.page[0])
    fleet.do("act", action="revoke")
    assert "Used by" in fleet.asks["tables"][0]["columns"]
    saved = browser(explore(ws.tokens(), usage=usage, now=NOW))
    saved.do("sort", column="used_by")
    assert saved.page[0] == targets[0]


@pytest.mark.parametrize("make", ["workspace", "fleet", "saved"])
def test_another_frame_is_no_evidence(ws, make):
    tokens = ws.tokens()
    screens = {
        "workspace": ws.explore,
        "fleet": tokenkit.fleet([ws]).explore,
        "saved": lambda usage: explore(tokens, usage=usage),
    }
    with pytest.raises(errors.UsageError, match=r"Not a result of usage\(\)"):
        screens[make](usage=tokens)


def test_a_log_without_any_listed_token_and_an_empty_listing_are_shown(ws, usage, browser):
    assert browser(ws.explore("comment == 'none of them'", usage=usage)).page == []
    user = browser(ws.explore(usage=ws.usage(rows=frame())))
    user.do("sort", column="used_by")
    assert set(map(tuple, used(user).values())) == {("no sign-in", "in the log")}


AGENTS = (
    *HOSTILE,
    "\u202edetrever\u202c/1",
    f"\x1b[31m{MARK}\x07/2",
    f"{MARK}\u200b" + "x" * 2000,
    "<script>" + MARK + "</script>",
    f"dapi{'0123456789abcdef' * 2}/1",
    "10.1.2.3/1",
    "[2001:db8::9]:443/1",
    "ann@example.com/1",
)


@pytest.mark.parametrize("plain", [False, True])
def test_hostile_user_agents_and_addresses_are_inert(ws, targets, browser, person, plain):
    rows = events(targets[0], AGENTS) + [event(targets[0], source_ip_address=text) for text in HOSTILE]
    usage = ws.usage(rows=frame(*rows))
    explorer = ws.explore(usage=usage, plain=plain)
    explorer.select(targets)
    if plain:
        user = person(explorer.widget)
        user.choose("Sort by", "Used by")
        user.choose("Details of", user.tokens.options[0][0])
        user.choose("Filter by", "Used by")
        seen = places(explorer.widget)
        read = user.reads()
        user.press("Revoke")
        assert seen | places(explorer.widget) <= TEXT_ONLY
        told = json.dumps([read, user.reads()], ensure_ascii=False)
    else:
        user = browser(explorer)
        user.do("sort", column="used_by")
        user.do("look", id=targets[0])
        user.do("choices", field="used_by")
        user.do("act", action="revoke")
        assert places(explorer.widget) == set()
        panel, decision = user.sections["panel"]["use"], user.asks
        told = json.dumps([panel, decision, user.sections["choices"], used(user)], ensure_ascii=False)
        assert max(map(len, dict(panel["sentences"]).values())) < 2000
    assert not set("\u202e\u202c\u200b\x1b\x07") & set(told)
    assert "dapi0123" not in told
    assert "10.1.2.3" not in told
    assert "2001:db8" not in told
    assert "ann@example.com/1" not in told
