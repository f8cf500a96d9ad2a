"""What used each token: lists in the order of frequency, names resolved, and no conclusion beyond the log."""

import pandas as pd
import pytest

from tests.review.test_sign_ins import INTERNAL, A, B, event, frame
from tokenkit import errors, frames
from tokenkit.core.printable import printable
from tokenkit.review import usage
from tokenkit.review.sign_ins import SIGN_INS

C = "c" * 64
LISTING = frames.frame([{"token_id": A}, {"token_id": C}], frames.TOKENS)
PRINCIPALS = frames.frame(
    [{"id": 1, "application_id": "6f1c", "display_name": "etl", "active": True}], frames.SERVICE_PRINCIPALS
)


def used(*events, listing=LISTING):
    return usage.usage(SIGN_INS.of_rows(frame(*events)), listing, PRINCIPALS)


def row(*events):
    return used(*events).iloc[0]


def test_tokens_without_a_sign_in_have_no_row_and_unlisted_ones_are_not_matched():
    found = used(event(A), event(B), event(B))
    assert list(zip(found["token_id"], found["logins"], found["matched"], strict=True)) == [(B, 2, False), (A, 1, True)]


def test_tokens_of_as_many_sign_ins_are_in_the_order_of_their_ids():
    for events in ((event(A), event(B)), (event(B), event(A))):
        assert used(*events)["token_id"].tolist() == sorted([A, B])


def test_lists_have_the_most_frequent_first_and_equal_ones_in_alphabetical_order():
    found = row(*[event(user_agent=name) for name in ("curl/8", "dbt/1", "dbt/1", "a/1")])
    assert found["user_agents"] == ["dbt/1", "a/1", "curl/8"]
    assert found["user_agents_counts"] == [2, 1, 1]


def test_user_agents_of_one_program_are_one_client():
    found = row(event(user_agent="dbt/1.7"), event(user_agent="dbt/1.8"), event(user_agent="curl/8"))
    assert (found["clients"], found["clients_counts"]) == (["dbt", "curl"], [2, 1])


def test_networks_are_24_bits_of_ipv4_and_48_of_ipv6():
    addresses = ["192.0.2.7", "192.0.2.9:443", "2001:db8:1:2::3", "[2001:db8:1:9::3]:443", "::ffff:192.0.2.1", "unix"]
    found = row(*[event(source_ip_address=address) for address in addresses])
    assert found["source_networks"] == ["192.0.2.0/24", "2001:db8:1::/48"]
    assert found["source_networks_counts"] == [3, 2]
    assert len(found["source_addresses"]) == 6


def test_at_most_a_hundred_names_are_listed():
    found = row(*[event(source_ip_address=f"192.0.{n // 200}.{n % 200}") for n in range(300)])
    assert (len(found["source_addresses"]), len(found["source_networks"])) == (100, 2)
    assert found["logins"] == 300


def test_a_service_principal_is_shown_by_its_name():
    found = row(event(user_identity={"email": "6f1c"}), event(user_identity={"email": "ann@example.com"}))
    assert sorted(found["identities"]) == ["ann@example.com", "etl"]


def test_a_credential_in_a_user_agent_is_redacted_everywhere():
    secret = "dapi" + "0123456789abcdef" * 2
    found = used(event(user_agent=f"curl/8 {secret}"), event(user_agent=secret))
    assert secret not in found.to_json(date_format="iso")
    assert found.iloc[0]["clients"] == ["curl", "unknown"]


def test_hostile_user_agents_become_inert_clients():
    found = row(event(user_agent="<img src=x onerror=alert(1)>/1\x1b[31m\u202e"))
    assert all(printable(name) == name for name in found["clients"])


@pytest.mark.parametrize("events", [[], [event(A, method=INTERNAL)]])
def test_a_log_without_sign_ins_gives_the_same_columns_and_proves_nothing(events):
    found = used(*events)
    assert list(found.dtypes.items()) == list(used(event()).dtypes.items())
    assert len(found) == 0
    assert "not proven to be unused" in usage.summary(found)


def test_columns_have_the_dtypes_of_all_frames():
    found = used(event())
    assert tuple(found.columns) == tuple(usage.USAGE.names)
    dtypes = found.dtypes.astype(str)
    assert dtypes["token_id"] in {"str", "string"}
    assert dtypes[["logins", "days_used"]].tolist() == ["Int64", "Int64"]
    assert dtypes[["first_login", "last_login"]].tolist() == ["datetime64[ms, UTC]"] * 2
    assert all(isinstance(cell, list) for name in usage._LISTS for cell in found[name])


@pytest.mark.parametrize(
    ("listing", "share"),
    [
        (frames.frame([{"token_id": A}, {"token_id": B}], frames.TOKENS), "2 of 2"),
        (LISTING, "1 of 2"),
        (LISTING[:0], "0 of 2"),
    ],
)
def test_the_share_of_the_logs_tokens_that_are_listed_is_always_reported(listing, share):
    found = used(event(A), event(B), event(C, method=INTERNAL), listing=listing)
    assert share in usage.summary(found)
    assert "1 internal sign-in" in usage.summary(found)
    assert "not proven to be unused" in usage.summary(found)


def identities(*emails, principals):
    sign_ins = SIGN_INS.of_rows(frame(*[event(user_identity={"email": email}) for email in emails]))
    (found,) = usage.usage(sign_ins, LISTING, frames.frame(principals, frames.SERVICE_PRINCIPALS)).to_dict("records")
    return dict(zip(found["identities"], found["identities_counts"], strict=True))


def test_two_identities_are_never_one_whatever_their_display_names():
    principals = [
        {"id": 1, "application_id": "6F1C", "display_name": "etl"},
        {"id": 2, "application_id": "7a2d", "display_name": "ETL"},
        {"id": 3, "application_id": "8b3e", "display_name": "ann@example.com"},
        {"id": 4, "application_id": "9c4f", "display_name": "loader"},
    ]
    assert identities("6f1c", "7a2d", "8b3e", "9c4f", "ann@example.com", principals=principals) == {
        "etl (6f1c)": 1,
        "ETL (7a2d)": 1,
        "ann@example.com (8b3e)": 1,
        "loader": 1,
        "ann@example.com": 1,
    }


def test_letter_case_makes_no_other_identity():
    principals = [{"id": 1, "application_id": "6F1C", "display_name": "etl"}]
    emails = ["Ann@Example.com", "ann@example.com", "6f1c", "6F1C"]
    assert identities(*emails, principals=principals) == {"ann@example.com": 2, "etl": 2}


IDS = pd.Series([A, C], dtype=frames.TEXT)


def test_evidence_that_was_saved_as_parquet_is_evidence(tmp_path):
    found = used(event(A))
    found.to_parquet(tmp_path / "usage.parquet")
    pd.testing.assert_frame_equal(
        usage.of_tokens(IDS, pd.read_parquet(tmp_path / "usage.parquet")), usage.of_tokens(IDS, found)
    )


@pytest.mark.parametrize("form", ["csv", "json"])
def test_evidence_that_lost_its_types_is_an_error_that_says_how_to_save_it(form, tmp_path):
    found, file = used(event(A)), tmp_path / f"usage.{form}"
    if form == "csv":
        found.to_csv(file, index=False)
        read = pd.read_csv(file)
    else:
        found.to_json(file, orient="records", date_format="iso")
        read = pd.read_json(file)
    with pytest.raises(errors.UsageError, match="Save evidence as Parquet") as caught:
        usage.of_tokens(IDS, read)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("order", [1, -1])
def test_different_rows_of_one_token_are_an_error_in_any_order(order):
    old = used(event(A, event_time="2025-03-01T00:00:00Z"))
    new = used(event(A, event_time="2026-03-01T00:00:00Z"), event(B))
    with pytest.raises(errors.UsageError, match="different rows for 1 token"):
        usage.of_tokens(IDS, pd.concat([old, new][::order]))


def test_a_sign_in_without_a_time_is_shown_as_one():
    found = used(event(A))
    found["last_login"] = found["last_login"].where(found["last_login"].isna())
    evidence = usage.of_tokens(IDS[:1], found)
    assert usage.sentences(evidence, now=pd.Timestamp("2026-03-02", tz="UTC")).tolist() == [
        "dbt from 192.0.2.0/24, 1 sign-in, at an unknown time"
    ]
    tokens = usage.with_evidence(LISTING[:1], found)
    assert usage.reported(tokens).tolist() == ["dbt, 1 sign-in, last on an unknown day"]
