"""What the explorer sends to the browser: few messages and few bytes, however many tokens there are.

A wait on the screen is messages, and what the browser makes of them; both are counted here, and need no clock.
"""

import json

import comm
import ipywidgets
import pandas as pd
import pytest
from comm.base_comm import BaseComm

from tests.conftest import NOW
from tokenkit.widgets.explorer import explore


class Sent(list):
    """The messages since the last change, as the kernel would send them."""

    def during(self, change):
        self.clear()
        change()
        return [data.get("state", {}) for _, data in self]

    @property
    def size(self):
        return sum(len(json.dumps(data)) for _, data in self)


@pytest.fixture
def sent(monkeypatch):
    if not hasattr(ipywidgets.widgets.widget, "comm"):
        pytest.skip("this ipywidgets sends in a way of its own, which cannot be listened to")
    messages = Sent()

    class Wire(BaseComm):
        def publish_msg(self, msg_type, data=None, **_):
            messages.append((msg_type, data or {}))

    monkeypatch.setattr(comm, "create_comm", Wire)  # what a kernel puts there is its own
    return messages


@pytest.fixture
def large(workspace):
    """Thirty thousand tokens and what was found about them."""
    audit = workspace.audit()
    times = 100
    ids = [f"{n:064x}" for n in range(times * len(audit.tokens))]
    tokens = pd.concat([audit.tokens] * times, ignore_index=True).assign(token_id=ids)
    found = tokens.loc[tokens["idle_days"] > 30, ["token_id"]].assign(rule="unused")
    return tokens, found


@pytest.fixture
def explorer(sent, large):  # noqa: ARG001 - its messages are to be counted
    tokens, found = large
    return explore(tokens, findings=found, now=NOW)


CHANGES = {
    "a filter": lambda explorer: setattr(explorer._filters._lists["status"], "value", "expired"),
    "a search": lambda explorer: setattr(explorer._filters._search, "value", "terraform"),
    "an order": lambda explorer: setattr(explorer._sort, "value", "owner"),
    "another page": lambda explorer: explorer._next.click(),
    "a selection": lambda explorer: explorer._select_matching(),
}
MOST = {"a filter": 10, "a search": 11, "an order": 2, "another page": 3, "a selection": 101}


def test_it_opens_with_few_messages_beside_those_of_the_table_s_own_program(sent, large):
    tokens, found = large
    states = sent.during(lambda: explore(tokens, findings=found, now=NOW))
    assert len(states) <= 90
    program = sum(len(json.dumps(state)) for state in states if "_esm" in state)
    assert sent.size - program < 70_000
    assert [state for state in states if state.get("_model_name") in {"ImageModel", "IntProgressModel"}] == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_a_few_messages_with_one_page_of_rows(explorer, sent, change):
    states = sent.during(lambda: CHANGES[change](explorer))
    assert len(states) <= MOST[change]
    assert sent.size < 50_000


@pytest.mark.parametrize("change", ["a filter", "a search", "an order", "another page"])
def test_the_rows_come_first_and_in_one_message(explorer, sent, change):
    explorer._next.click()
    states = sent.during(lambda: CHANGES[change](explorer))
    pages = [number for number, state in enumerate(states) if "_dt_args" in state]
    assert len(pages) == 1
    assert "selected_rows" in states[pages[0]]
    assert pages[0] <= 1  # after what was clicked on


def test_what_is_as_it_was_is_not_sent_again(explorer, sent):
    CHANGES["a filter"](explorer)
    assert sent.during(explorer._filters.refresh) == []
    assert sent.during(explorer._show_selection) == []
