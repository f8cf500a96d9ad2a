"""The messages of the explorer to the browser: few messages and few bytes, regardless of the number of tokens.

Delays in the browser depend on the messages. Counting them needs no clock.
"""

import json

import pandas as pd
import pytest

from tests.conftest import NOW
from tokenkit.widgets.saved import explore


@pytest.fixture
def explorer(workspace):
    """An explorer of thirty thousand tokens with findings."""
    audit = workspace.audit()
    times = 100
    ids = [f"{n:064x}" for n in range(times * len(audit.tokens))]
    tokens = pd.concat([audit.tokens] * times, ignore_index=True).assign(token_id=ids)
    found = tokens.loc[tokens["idle_days"] > 30, ["token_id"]].assign(rule="unused", severity="low")
    return explore(tokens, findings=found, now=NOW)


@pytest.fixture
def user(explorer, browser):
    return browser(explorer)


def size(messages):
    return sum(len(json.dumps(content)) for content in messages)


def test_nothing_is_sent_before_the_screen_is_seen(explorer):
    sent = []
    explorer.widget.send = sent.append
    explorer.refresh()
    explorer.select([])
    assert sent == []


def test_opening_is_one_message_with_one_page_of_rows(user):
    assert len(user.received) == 1
    assert size(user.received) < 60_000


CHANGES = {
    "a filter": ("filter", {"field": "status", "values": ["expired"]}),
    "a search": ("search", {"text": "terraform"}),
    "an order": ("sort", {"column": "comment"}),
    "another page": ("turn", {"page": 3}),
    "a selection": ("tick_matching", {}),
    "a token": ("look", {"id": f"{7:064x}"}),
    "choices": ("choices", {"field": "owner"}),
    "charts": ("charts", {"on": True}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_one_message_with_what_changed(user, change):
    user.received.clear()
    event, data = CHANGES[change]
    user.do(event, **data)
    assert len(user.received) == 1
    assert size(user.received) < 60_000


def test_a_tick_sends_no_rows(user):
    user.received.clear()
    user.tick(*user.page[:3])
    assert set(user.received[0]["sections"]) == {"selection", "said"}
    assert size(user.received) < 1_000


def test_unchanged_sections_are_not_sent_again(user):
    user.received.clear()
    user.do("search", text="")
    assert user.received == [{"sections": {}, "ack": ["test", user.clicks]}]


def test_the_largest_page_fits_a_message(user):
    user.received.clear()
    user.do("size", size=10_000)
    assert len(user.page) == 500
    assert size(user.received) < 500_000
