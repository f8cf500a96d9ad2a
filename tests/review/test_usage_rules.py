"""Rules over a planted log: each finds its culprit, and no other token."""

import pandas as pd
import pytest

from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import errors, frames
from tokenkit.review import usage, usage_rules
from tokenkit.review.description import described
from tokenkit.review.rule import Context
from tokenkit.review.sign_ins import SIGN_INS

DAY = pd.Timedelta(days=1)
ANN, LEFT, ETL = 1, 2, 3
USERS = frames.frame(
    [
        {"id": ANN, "user_name": "ann@example.com", "active": True},
        {"id": LEFT, "user_name": "left@example.com", "active": False},
    ],
    frames.USERS,
)
PRINCIPALS = frames.frame(
    [{"id": ETL, "application_id": "6f1c", "display_name": "etl", "active": True}], frames.SERVICE_PRINCIPALS
)


def token(name, owner_id=ANN, used=NOW):
    return {
        "token_id": name,
        "owner_id": owner_id,
        "creation_time": 1_700_000_000_000,
        "expiry_time": -1,
        "last_used_day": None if used is None else round(used.floor("D").timestamp() * 1000),
    }


def found(rule, tokens, events, **thresholds):
    """The evidence of a rule by token."""
    listing = described(frames.frame(tokens, frames.TOKENS), now=NOW, users=USERS, service_principals=PRINCIPALS)
    listing = listing.set_index(pd.RangeIndex(10, 10 + len(listing)))  # as the audit's selection of active tokens
    log = usage.usage(SIGN_INS.of_rows(frame(*events)), listing)
    evidence = rule(listing, Context(now=NOW, usage=log), **thresholds)
    assert set(evidence.index) <= set(listing.index)
    return {listing.loc[index, "token_id"]: text for index, text in evidence.items()}


def at(token_id, time=NOW, **values):
    return event(token_id, event_time=time.isoformat(), **values)


def test_a_token_of_an_owner_who_left_that_is_still_used():
    tokens = [token("used", LEFT), token("long ago", LEFT), token("unused", LEFT), token("of ann")]
    events = [at("used", user_agent="dbt/1"), at("long ago", NOW - 20 * DAY), at("of ann")]
    assert found(usage_rules.inactive_owner_still_used, tokens, events) == {"used": "last sign-in on 2026-03-01 by dbt"}
    assert set(found(usage_rules.inactive_owner_still_used, tokens, events, days=30)) == {"used", "long ago"}


def test_a_deleted_owner_has_left_as_well():
    assert set(found(usage_rules.inactive_owner_still_used, [token("gone", 99)], [at("gone")])) == {"gone"}


def test_an_owner_whose_state_is_not_known_is_not_said_to_have_left():
    assert found(usage_rules.inactive_owner_still_used, [token("unknown", None)], [at("unknown")]) == {}


def test_programs_that_have_nothing_in_common():
    agents = {
        "shared": ["dbt/1.7", "PowerBI"],
        "one": ["dbt/1.7", "dbt/1.8", "databricks-airflow/6"],
        "driver": ["PowerBI", "SimbaSparkODBCDriver/2.7"],
        "script": ["curl/8", "dbt/1.7", "python-requests/2"],
    }
    events = [at(name, user_agent=agent) for name, texts in agents.items() for agent in texts]
    assert found(usage_rules.shared_by_programs, [token(name) for name in agents], events) == {
        "shared": "Power BI, dbt"
    }


def test_many_networks():
    events = [at("many", source_ip_address=f"192.0.{n}.1") for n in range(12)]
    events += [at("one", source_ip_address=f"192.0.2.{n}") for n in range(50)]
    tokens = [token("many"), token("one")]
    assert found(usage_rules.many_networks, tokens, events) == {"many": "12 networks on 1 day"}
    assert found(usage_rules.many_networks, tokens, events, networks=13) == {}


def test_addresses_outside_of_the_given_networks():
    addresses = {
        "inside": ["192.0.2.9:443", "[2001:db8::1]:443", "::ffff:192.0.2.8"],
        "outside": ["192.0.2.9", "198.51.100.7"],
        "far outside": ["2001:db9::1", "198.51.100.7", "no address"],
    }
    events = [at(name, source_ip_address=address) for name, texts in addresses.items() for address in texts]
    tokens = [token(name) for name in addresses]
    assert found(usage_rules.outside_networks, tokens, events, networks=["192.0.2.0/24", "2001:db8::/32"]) == {
        "outside": "1 address outside",
        "far outside": "3 addresses outside",
    }


@pytest.mark.parametrize("network", ["192.0.2.1/24", "everywhere", "", "192.0.2.0/99"])
def test_a_text_that_is_no_network_is_an_error(network):
    with pytest.raises(errors.UsageError, match="is not a network"):
        found(usage_rules.outside_networks, [token("a")], [at("a")], networks=[network])


def test_a_service_principals_token_that_is_only_used_by_hand():
    browser = "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0"
    events = [at("by hand", user_agent=browser), at("by hand", user_agent="PostmanRuntime/7")]
    events += [at("both", user_agent=browser), at("both", user_agent="dbt/1"), at("person", user_agent=browser)]
    tokens = [token("by hand", ETL), token("both", ETL), token("person", ANN)]
    assert found(usage_rules.interactive_service_principal, tokens, events) == {"by hand": "only by Postman, browser"}


def test_a_listing_and_a_log_that_disagree():
    tokens = [token("same"), token("never", used=None), token("older", used=NOW - 9 * DAY), token("newer")]
    events = [at("same"), at("never"), at("older"), at("newer", NOW - 9 * DAY)]
    assert found(usage_rules.use_disagrees, tokens, events) == {
        "never": "listing: never; log: 2026-03-01",
        "older": "listing: 2026-02-20; log: 2026-03-01",
        "newer": "listing: 2026-03-01; log: 2026-02-20",
    }


@pytest.mark.parametrize("rule", usage_rules.RULES, ids=lambda rule: rule.id)
def test_without_a_sign_in_no_rule_finds_anything(rule):
    assert found(rule, [token("a", LEFT), token("b", ETL)], []) == {}
    assert found(rule, [], []) == {}


@pytest.mark.parametrize("rule", usage_rules.RULES, ids=lambda rule: rule.id)
def test_no_evidence_has_an_address(rule):
    tokens = [token("a", LEFT, used=None), token("b", ETL)]
    events = [at(name, source_ip_address=f"192.0.{n}.1") for name in "ab" for n in range(20)]
    thresholds = {"networks": ["198.51.100.0/24"]} if rule is usage_rules.outside_networks else {}
    assert "192.0." not in "".join(found(rule, tokens, events, **thresholds).values())


def test_a_fleets_evidence_serves_a_listing_that_names_workspaces_and_rows_that_are_twice_count_once():
    events = [at("many", source_ip_address=f"192.0.{n}.1") for n in range(12)]
    listing = described(
        frames.frame([token("many")], frames.TOKENS), now=NOW, users=USERS, service_principals=PRINCIPALS
    )
    listing = listing.assign(workspace="https://one.example")
    log = usage.usage(SIGN_INS.of_rows(frame(*events)), listing)
    assert "workspace" in log
    evidence = usage_rules.many_networks(listing, Context(now=NOW, usage=pd.concat([log, log])))
    assert evidence.tolist() == ["12 networks on 1 day"]
