"""How columns are shown: short in tables, whole in records."""

import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.core import table
from tokenkit.core.table import NEEDED
from tokenkit.review import columns, lifecycle
from tokenkit.review.columns import COLUMNS
from tokenkit.review.values import RULE_IDS
from tokenkit.widgets import formatting


def shown(frame, name):
    column = columns.column(frame, name)
    return column.heading, list(column.texts)


@pytest.fixture
def tokens(workspace):
    return workspace.tokens()


def test_days_are_short_in_a_listing(tokens):
    row = tokens.iloc[[0]].assign(
        idle_days=68.2, expires_in_days=26.4, expiry_time=pd.Timestamp("2026-03-27", tz="UTC")
    )
    row = row.assign(
        creation_time=pd.Timestamp("2025-06-01", tz="UTC"), last_used_day=pd.Timestamp("2025-12-23", tz="UTC")
    )
    assert shown(row, "last_used_day") == ("last used", ["68 d"])
    assert shown(row, "effective_end") == ("ends", ["in 22 d"])  # after 90 days without use
    expired = row.assign(expires_in_days=-3.0, idle_days=100.0)
    assert shown(expired, "effective_end") == ("ends", ["3 d ago"])
    never_used = row.assign(last_used_day=pd.NaT)
    assert shown(never_used, "last_used_day") == ("last used", ["never"])


def test_days_and_times_alone_are_dates_in_utc():
    day = pd.Series(pd.to_datetime(["2026-03-01", None], utc=True))
    time = pd.Series(pd.to_datetime(["2026-03-01 09:30", None], utc=True))
    frame = pd.DataFrame({"last_used_day": day, "started_at": time})
    assert shown(frame, "last_used_day") == ("last used (UTC)", ["2026-03-01", ""])
    assert shown(frame, "started_at") == ("started (UTC)", ["2026-03-01 09:30", ""])


def test_booleans_are_yes_or_blank_or_not_known_and_lists_have_commas():
    frame = pd.DataFrame(
        {"can_use": [True, False], "active": pd.array([False, None], "boolean"), "scopes": [["a", "b"], None]}
    )
    assert shown(frame, "can_use")[1] == ["yes", ""]
    assert shown(frame, "active")[1] == ["", "?"]
    assert shown(frame, "scopes")[1] == ["a, b", "(not stated)"]  # which can mean all APIs


def test_a_creator_who_owns_a_token_has_the_owners_name_and_not_an_application_id():
    frame = pd.DataFrame(
        {
            "created_by_username": ["0b5c-4f", "0b5c-4f", "ann@example.com", "0b5c-4f"],
            "created_by_id": pd.array([7, 9, None, 7], "Int64"),
            "owner_id": pd.array([7, 7, None, 8], "Int64"),
            "owner": ["terraform", "terraform", None, "bob@example.com"],
        }
    )
    assert shown(frame, "created_by_username")[1] == ["terraform", "0b5c-4f", "ann@example.com", "terraform"]
    assert columns.records(frame)[0]["created by username"] == "terraform"
    assert shown(frame.drop(columns="owner"), "created_by_username")[1][0] == "0b5c-4f"
    of_fleet = frame.assign(workspace=["prod", "prod", "prod", "dev"])
    assert shown(of_fleet, "created_by_username")[1][3] == "0b5c-4f"


def test_service_principals_with_permission_are_shown_by_their_display_names():
    frame = pd.DataFrame(
        {
            "service_principal_name": ["0b5c-4f", "0b5c-4e", None],
            "display_name": ["terraform", None, "data-engineers"],
        }
    )
    assert shown(frame, "service_principal_name")[1] == ["terraform", "0b5c-4e", ""]
    assert shown(frame.drop(columns="display_name"), "service_principal_name")[1] == ["0b5c-4f", "0b5c-4e", ""]


def test_missing_values_of_every_type_are_blank():
    frame = pd.DataFrame(
        {
            "x": pd.array([None], "Int64"),
            "y": pd.array([None], "Float64"),
            "z": [float("nan")],
            "t": [pd.NaT],
            "n": [None],
        }
    )
    assert [shown(frame, name)[1] for name in frame] == [[""]] * 5


def test_texts_are_inert_and_have_no_secret():
    secret = "dapi" + "0123456789abcdef" * 2
    frame = pd.DataFrame({"comment": [f"\x1b[2J\u202e{secret}\nnext"]})
    (text,) = shown(frame, "comment")[1]
    assert not set(text) & {"\x1b", "\u202e", "\n"}
    assert secret not in text


def test_findings_and_owners_come_first_and_ids_last(tokens):
    names = columns.shown_names(tokens)
    assert names[:3] == ["owner", "comment", "status"]
    assert names[-1] == "token_id"
    assert "idle_days" not in names  # in "last used"
    findings = pd.DataFrame(columns=["rule", "severity", "token_id", "owner", "evidence", "remedy"])
    assert columns.shown_names(findings)[:2] == ["severity", "rule"]


def test_a_column_of_the_server_is_shown_if_there_is_room_before_the_id(tokens):
    names = columns.shown_names(tokens.assign(new_field="x"))
    assert names[-2:] == ["new_field", "token_id"]
    assert columns.column(tokens.assign(new_field="x"), "new_field").priority > NEEDED


def test_what_is_needed_next_is_never_cut():
    needed = {"run_id", "owner", "principal", "warnings", "token_id", "error", "workspace"}
    by_name = {column.name: column for column in COLUMNS}
    assert all(by_name[name].priority == NEEDED and not by_name[name].is_cut for name in needed)


def test_changes_show_the_cause_and_what_is_copied_in_full_on_a_narrow_terminal():
    changes = pd.DataFrame(
        {
            "token_id": ["a" * 64],
            "change": ["removed"],
            "cause": ["revoked_by_tokenkit"],
            "owner": ["jane.doe@example.com"],
            "comment": ["the nightly export of the data team"],
            "before": ["all-apis sql workspace"],
            "run_id": ["20260301-093000-1a2b3c4d"],
        }
    )
    drawn = table.table(columns.columns(changes), 80)
    assert len(drawn.splitlines()) == 2
    assert all(text in drawn for text in ["removed", "revoked by tokenkit", "jane.doe@example.com", "a" * 12])


def test_the_journal_shows_who_and_why_before_numbers_that_are_all_zero():
    runs = pd.DataFrame(
        {
            "run_id": ["20260301-093000-1a2b3c4d"],
            "kind": ["revoke"],
            "caller": ["admin@example.com"],
            "reason": ["offboarding of jane"],
            **{name: [0] for name in ("skipped", "failed", "unknown", "still_listed", "remaining")},
        }
    )
    first, second = table.table(columns.columns(runs), 80).splitlines()
    assert first.split() == ["run", "kind", "reason", "by"]
    assert "offboarding of jane" in second
    assert "admin@example.com" in second
    assert "remaining" in table.table(columns.columns(runs.assign(remaining=2)), 120)


def test_an_update_that_removes_the_scopes_of_a_token_says_that_nothing_limits_it():
    removed = pd.DataFrame({"token_id": ["a" * 64], "new_comment": [""], "new_scopes": [[]]})
    drawn = table.table(columns.columns(removed), 120)
    assert "(not limited)" in drawn
    assert "(none)" in drawn  # of the comment


def headings_of(frame, width):
    return [column.heading.removesuffix(" (UTC)") for column, _ in table.fitting(columns.columns(frame), width)]


RUNS = pd.DataFrame(
    {
        "run_id": ["20260301-093000-1a2b3c4d", "20260302-093000-1a2b3c4e"],
        "kind": ["revoke", "permissions"],
        "workspace": "https://prod.cloud.databricks.com",
        "caller": "admin@example.com",
        "reason": ["offboarding of everybody in the south region", None],
        "started_at": pd.to_datetime(["2026-03-01 09:30", "2026-03-02 09:30"], utc=True),
        "finished_at": pd.to_datetime(["2026-03-01 09:31", "2026-03-02 09:31"], utc=True),
        "change": [None, "updated"],
        "tokens": [85, 3],
        "done": [80, 3],
        "remaining": [5, 0],
    }
)


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, ["run", "kind", "remaining", "tokens", "reason"]),
        (100, ["run", "kind", "remaining", "tokens", "reason", "started"]),
        (170, ["workspace", "run", "kind", "change", "remaining", "tokens", "done", "reason", "started", "by"]),
    ],
)
def test_of_runs_the_id_the_kind_the_counts_and_the_reason_remain_in_a_narrow_terminal(width, headings):
    assert headings_of(RUNS, width) == headings
    lines = table.table(columns.columns(RUNS), width).splitlines()
    assert {"20260301-093000-1a2b3c4d", "offboarding", "everybody"} <= {*" ".join(lines).split()}
    assert max(map(len, lines)) <= width


def test_of_staged_runs_the_day_on_which_they_are_due_remains_too():
    staged = RUNS.assign(due=RUNS["started_at"] + pd.Timedelta(days=14))
    drawn = table.table(columns.columns(staged), 100)
    assert {"2026-03-15", "20260301-093000-1a2b3c4d", "offboarding", "everybody"} <= {*drawn.split()}


def test_of_one_run_what_it_did_comes_before_what_the_line_about_it_says():
    names = ["run_id", "workspace", "kind", "caller", "reason"]
    tokens = RUNS.iloc[[0, 0]][names].assign(
        token_id="a" * 64,
        owner="jane.doe@example.com",
        comment="the nightly export",
        new_comment=None,
        scopes=[["all-apis"], ["sql", "jobs"]],
        new_scopes=[["sql"], None],
        outcome="updated",
    )
    assert headings_of(tokens, 90) == ["outcome", "owner", "comment", "scopes", "new scopes", "token"]
    entries = tokens[names].assign(
        kind=["user", "group"],
        principal="data-engineers",
        permission_level=[None, "CAN_USE"],
        new_permission_level=["CAN_MANAGE", None],
        outcome="updated",
        started_at=RUNS["started_at"].iloc[0],
    )
    assert headings_of(entries, 68) == ["kind", "outcome", "principal", "level", "new level"]
    drawn = table.table(columns.columns(entries), 68).splitlines()
    assert [line.split()[-2:] for line in drawn[1:]] == [["none", "CAN_MANAGE"], ["CAN_USE", "none"]]
    parts = tokens.assign(run_id=[f"{tokens['run_id'].iloc[0]}.{part}" for part in (1, 2)], workspace=["a", "b"])
    assert "workspace" in headings_of(parts, 100)


@pytest.mark.parametrize(
    ("now", "created", "used", "text"),
    [
        ("2026-03-01T16:00", "2026-01-01T00:00", "2026-03-01", "today"),
        ("2026-03-01T23:59", "2026-03-01T20:00", "2026-03-01", "today"),
        ("2026-03-01T10:00", "2026-02-28T20:00", "2026-02-28", "1 d"),
        ("2026-03-01T00:00", "2026-02-28T07:13", "2026-02-28", "1 d"),
        ("2026-03-01T23:59", "2026-01-01T00:00", "2026-02-28", "1 d"),
        ("2026-03-01T16:00", "2026-01-01T00:00", "2026-03-08", "today"),  # the clock was set back
    ],
)
def test_the_day_of_the_last_use_is_today_or_its_number_of_days_ago(now, created, used, text):
    times = {"creation_time": created, "last_used_day": used}
    document = {name: pd.Timestamp(time, tz="UTC").value // 10**6 for name, time in times.items()}
    listing = frames.frame([{"token_id": "x", **document}], frames.TOKENS)
    tokens = lifecycle.with_lifecycle(listing, now=pd.Timestamp(now, tz="UTC"))
    assert shown(tokens, "last_used_day") == ("last used", [text])
    in_widgets = formatting.ago(tokens["last_used_day"].iloc[0], pd.Timestamp(now, tz="UTC"))
    assert in_widgets.removesuffix(" ago") == text


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("owner", ["owner"]),
        ("OWNER", ["owner"]),
        (" Last Used (UTC)", ["last_used_day"]),
        ("ends", ["effective_end"]),
        ("age days", ["age_days"]),
        ("by", ["ends_by", "caller"]),
        ("token", ["token_id"]),
        ("new_Field", ["New_field"]),
        ("nothing", []),
    ],
)
def test_a_column_is_meant_by_its_name_or_its_heading(given, found):
    names = ["owner", "last_used_day", "effective_end", "age_days", "ends_by", "caller", "token_id", "New_field"]
    assert columns.named(given, names) == found


def test_the_name_of_a_column_goes_before_the_heading_of_another():
    assert columns.named("user", ["user", "user_name"]) == ["user"]
    assert columns.named("user", ["user_name"]) == ["user_name"]


def test_no_column_is_twice_in_the_table():
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names))


def test_every_column_of_a_listing_is_known(tokens):
    assert {column.name for column in COLUMNS} >= set(tokens.columns)
    assert {column.name for column in COLUMNS} >= set(frames.PERMISSIONS.names)


def test_every_column_of_what_commands_show_is_known(workspace):
    audit = workspace.audit()
    for frame in (
        audit.summary,
        audit.findings,
        workspace.runs(),
        workspace.journal(),
        workspace.access(),
        workspace.scopes(),
    ):
        assert {column.name for column in COLUMNS} >= set(frame.columns)
    assert not {"why", "settings", "snapshot"} & {*columns.shown_names(audit.summary)}


def test_a_record_has_every_field_with_a_value_whole(tokens):
    token = tokens[tokens["scopes"].notna()].iloc[[0]].assign(findings=[["high x: because", "low y: so"]])
    fields = columns.records(token)[0]
    assert [*fields][:2] == ["findings", "owner"]
    assert fields["findings"] == "high x: because\nlow y: so"
    assert fields["token id"] == token["token_id"].iloc[0]
    assert fields["idle days"] == f"{token['idle_days'].iloc[0]:,.1f}".removesuffix(".0")
    assert columns.records(token.assign(findings=[[]]))[0]["findings"] == "none"


def test_the_short_view_comes_first_in_a_notebook_and_no_column_is_lost(tokens):
    arranged = columns.short_view_first(tokens)
    assert [*arranged.columns[:7]] == ["comment", "owner", "status", "idle_days", "effective_end", "scopes", "token_id"]
    assert set(arranged.columns) == set(tokens.columns)
    assert type(arranged) is pd.DataFrame


# The columns that a narrow terminal leaves out, from the last to the first that goes.
GIVE_WAY = {
    1: "waived kind status reason effect used_by protected",
    2: "via done matched started_at",
    3: "permission_unused failed unknown still_listed",
    4: "active skipped days_used source_networks",
    5: "matched_as",
    6: "idle_days expiry_time reach",
    7: "scopes used_scopes unused_scopes",
    8: "owner_kind finished_at at",
    9: "age_days attempts",
    10: "created_by_username remedy",
    11: "id",
    12: "before after path",
}
NARROWEST = {
    10: "before after clients",
    12: "workspace not_checked group_name service_principal_name comment new_comment new_scopes via reason used_by"
    " scopes used_scopes unused_scopes created_by_username",
    16: "rule error principal owner user_name evidence locations source_networks identities",
    20: "title findings description warnings",
    24: "user",
    48: "remedy",
}
CUT = "comment source_networks"
HEADINGS = {
    "signed_in_by": "signed in by",
    "not_checked": "not checked",
    "run_id": "run",
    "user_name": "user",
    "group_name": "group",
    "service_principal_name": "service principal",
    "permission_level": "level",
    "new_permission_level": "new level",
    "new_comment": "new comment",
    "new_scopes": "new scopes",
    "tokens_without_permission": "no permission",
    "can_use": "can use",
    "permission_unused": "unused",
    "matched_as": "matched as",
    "still_listed": "still listed",
    "logins": "sign-ins",
    "last_login": "last sign-in",
    "clients": "used by",
    "source_networks": "from",
    "matched": "listed",
    "identities": "as",
    "days_used": "days",
    "last_used_day": "last used",
    "idle_days": "idle",
    "effective_end": "ends",
    "ends_by": "by",
    "expiry_time": "expires",
    "used_scopes": "used scopes",
    "unused_scopes": "unused scopes",
    "owner_kind": "owner kind",
    "age_days": "age",
    "created_by_username": "created by",
    "started_at": "started",
    "finished_at": "finished",
    "caller": "by",
    "taken_at": "taken",
    "token_id": "token",
}


def test_columns_give_way_in_this_order_to_these_widths_and_few_are_cut():
    shown = [spec for spec in COLUMNS if spec.priority is not None]
    ranks = {spec.name: spec.priority for spec in shown if spec.priority != NEEDED}
    assert ranks == {name: rank for rank, names in GIVE_WAY.items() for name in names.split()}
    widths = {spec.name: spec.least for spec in COLUMNS if spec.least}
    assert widths == {name: width for width, names in NARROWEST.items() for name in names.split()}
    assert [spec.name for spec in COLUMNS if spec.is_cut] == CUT.split()
    assert {spec.name: spec.heading for spec in COLUMNS if spec.heading not in {"", spec.name}} == HEADINGS


def test_a_column_that_no_table_has_room_for_is_shown_on_request_alone(tokens):
    never = [spec.name for spec in COLUMNS if spec.priority is None]
    assert not {*never} & {*columns.shown_names(tokens)}
    assert {"lifetime_days", "never_expires", "created_by_id", "owner_id", "autoscope_state"} <= {*never}
    (column,) = columns.columns(tokens, ["lifetime_days"])
    assert (column.heading, column.priority, column.is_number) == ("lifetime days", NEEDED, True)
    unlisted = columns.spec_of("new_field")
    assert columns.column(tokens, "lifetime_days").priority == unlisted.priority > max(GIVE_WAY)
    assert (unlisted.name, unlisted.least, unlisted.is_cut) == ("new_field", 12, False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("True", "True"),
        (True, "yes"),
        (False, ""),
        (0, "0"),
        (1234567, "1234567"),
        (1234.56, "1,234.6"),
        (2.0, "2"),
        (float("nan"), ""),
        (pd.NaT, ""),
        (pd.NA, ""),
        (None, ""),
        ([], ""),
        (["a", 1], "a, 1"),
        (("x\ny",), "x\N{REPLACEMENT CHARACTER}y"),
    ],
)
def test_a_value_is_one_line(value, text):
    assert columns.cell(value) == text


@pytest.mark.parametrize(
    ("idle", "expires", "last_used", "ends"),
    [
        (0.7, 0.0, "today", "in 0 d"),
        (1.6, 3.5, "1 d", "in 4 d"),
        (95.2, 200.0, "95 d", "in 0 d"),  # it may be deleted any day
        (1.0, -0.6, "1 d", "1 d ago"),
        (None, 5.0, "?", "in 5 d"),
        (None, None, "?", "?"),
    ],
)
def test_days_are_whole_and_an_unknown_number_is_a_question(idle, expires, last_used, ends):
    frame = pd.DataFrame(
        {
            "idle_days": pd.array([idle], "Float64"),
            "expires_in_days": pd.array([expires], "Float64"),
            "age_days": pd.array([idle], "Float64"),
            "last_used_day": pd.to_datetime(["2026-03-01"], utc=True),
            "creation_time": pd.to_datetime(["2026-01-01"], utc=True),
            "effective_end": pd.to_datetime(["2026-06-01"], utc=True),
        }
    )
    assert shown(frame, "last_used_day") == ("last used", [last_used])
    assert shown(frame, "effective_end") == ("ends", [ends])
    assert shown(frame, "age_days") == ("age", ["" if idle is None else f"{idle:.0f} d"])
    assert [columns.column(frame, name).is_number for name in ("last_used_day", "age_days")] == [True, True]


def test_only_days_and_numbers_are_aligned_to_the_right():
    frame = pd.DataFrame({"tokens": [3], "rate": [1.5], "owner": ["a"], "idle_days": ["68"], "active": [True]})
    day = frame.assign(last_used_day=pd.to_datetime(["2026-03-01"], utc=True)).drop(columns="idle_days")
    aligned = [columns.column(frame, name).is_number for name in frame]
    assert aligned == [True, True, False, True, False]
    assert shown(frame, "idle_days") == ("idle", ["68"])
    assert columns.column(day, "last_used_day").is_number is False
    assert columns.column(frame.iloc[:0], "tokens").is_number is False


def test_identifiers_of_fixed_sets_are_words_in_tables_and_records_but_texts_are_never_changed():
    frame = pd.DataFrame(
        {
            "kind": ["service_principal"],
            "change": ["owner_changed"],
            "outcome": ["still_listed"],
            "cause": ["unused_90_days"],
            "effect": ["deleted_or_disabled"],
            "matched_as": ["digits_as_bytes"],
            "owner_kind": ["service_principal"],
            "problem": ["not_scanned"],
            "comment": ["still_listed"],
            "permission_level": ["CAN_USE"],
        }
    )
    texts = {name: shown(frame, name)[1][0] for name in frame}
    assert texts == {
        "kind": "service principal",
        "change": "owner changed",
        "outcome": "still listed",
        "cause": "unused for 90 days",
        "effect": "deleted or disabled",
        "matched_as": "digits as bytes",
        "owner_kind": "service principal",
        "problem": "not scanned",
        "comment": "still_listed",
        "permission_level": "CAN_USE",
    }
    fields = columns.records(frame)[0]
    assert (fields["owner kind"], fields["comment"]) == ("service principal", "still_listed")


def test_serious_words_have_a_color():
    styles = columns.column(pd.DataFrame({"severity": ["high"]}), "severity").styles
    assert styles == {
        "high": "red",
        "medium": "yellow",
        "failed": "red",
        "unknown": "red",
        "still listed": "yellow",
    }


def test_a_column_without_any_value_is_left_out_unless_it_is_asked_for():
    frame = pd.DataFrame({"owner": ["a", "b"], "comment": ["", None], "status": ["", "active"]})
    assert [column.heading for column in columns.columns(frame)] == ["owner", "status"]
    assert [column.heading for column in columns.columns(frame, ["comment", "owner"])] == ["comment", "owner"]


@pytest.mark.parametrize(("admin", "text"), [(True, "yes"), (False, "no"), (None, "unknown")])
def test_a_record_says_whether_its_subject_is_an_admin(admin, text):
    frame = pd.DataFrame({"user": ["a"], "admin": pd.array([admin], "boolean"), "host": ["h"], "error": [None]})
    assert columns.records(frame)[0] == {"user": "a", "admin": text, "host": "h"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_ids_of_rules_are_whole_beside_their_titles(width):
    summary = pd.DataFrame(
        {
            "rule": [*RULE_IDS],
            "title": "Creator of a service principal's token is inactive or deleted",
            "severity": "medium",
            "findings": 1_000,
            "not_checked": "",
        }
    )
    drawn = table.table(columns.columns(summary), width)
    assert {*RULE_IDS} <= {*drawn.split()}


def test_a_column_is_shown_always_or_if_it_fits_or_on_request():
    rows = pd.DataFrame(columns=["owner", "status", "comment", "lifetime_days"])
    assert columns.when_shown(rows) == {
        "owner": "always",
        "comment": "always",
        "status": "if it fits",
        "lifetime_days": "on request",
    }
