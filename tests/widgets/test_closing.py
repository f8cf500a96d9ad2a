"""A closed widget leaks nothing: no widget, no comm, no thread, no memory."""

import gc
import threading
import weakref

import comm
import ipywidgets as widgets
import pytest

import tokenkit
from tests.widgets.conftest import Browser, Person, settle
from tokenkit.sandbox import Fault
from tokenkit.widgets import style
from tokenkit.widgets.access import PermissionReview
from tokenkit.widgets.front import Front

OPEN = {
    "explorer": lambda ws: ws.explore(),
    "plain explorer": lambda ws: ws.explore(plain=True),
    "explorer of a fleet": lambda ws: tokenkit.fleet([ws]).explore(),
    "permission review": lambda ws: ws.review_access(),
    "plain permission review": lambda ws: ws.review_access(plain=True),
}


def kept():
    """Return the widgets that ipywidgets has registered, without shared ones."""
    shared = {id(widget) for widget in style._SHARED.values()}
    # Before ipywidgets 8.0.3, they were attributes of the class, with another name in 7.
    places = ((widgets.widget, "_instances"), (widgets.Widget, "_active_widgets"), (widgets.Widget, "widgets"))
    live = next(getattr(owner, name) for owner, name in places if hasattr(owner, name)).values()
    return {f"{type(widget).__name__} {id(widget)}" for widget in live if id(widget) not in shared}


def use(screen):
    """Use all controls that create widgets."""
    if isinstance(screen, PermissionReview):
        if isinstance(screen._face, Front):
            user = Browser(screen)
            for entry in user.sections["entries"]["rows"][1:3]:
                user.do("remove", id=entry["id"])
            user.do("suggest", kind="user", text="a")
            user.do("apply")
            return
        user = Person(screen.widget)
        for row in list(screen._face.rows.values())[1:3]:
            row.button.click()
            settle()
        user.press("Apply …")
        return
    others = screen.filtered.query("owner != 'admin@example.com'").head(2)
    if isinstance(screen._face, Front):
        user = Browser(screen)
        user.do("look", id=user.page[0])
        user.do("charts", on=True)
        user.do("choices", field="idle")
        screen.select(others)
        for _ in range(2):
            user.do("act", action="revoke")
            user.do("close")
        user.revoke(2)
        user.do("download", selected=False)
        return
    user = Person(screen.widget)
    user.press("Select page")
    user.press("Select none")
    user.choose("Details of", user.tokens.options[0][0])
    user.choose("Filter by", "Idle for")
    user.choose("Filter by", "Status")
    screen.select(others)
    for _ in range(2):
        user.press("Revoke …")
        user.press("Cancel")
    user.press("Edit scopes or comment …")
    user.press("Cancel")
    user.press("Schedule revocation …")
    user.press("Cancel")
    user.press("Revoke …")
    user.type("Type", "2")
    user.press("Revoke 2 tokens")
    user.press("Close")
    user.press("Refresh")


@pytest.mark.parametrize("kind", OPEN)
def test_a_closed_widget_has_no_comm_and_no_thread_and_is_garbage_collected(ws, kind):
    OPEN[kind](ws).close()  # shared objects are created once
    gc.collect()
    before, comms = kept(), set(comm.get_comm_manager().comms)
    screen = OPEN[kind](ws)
    use(screen)
    screen._repr_mimebundle_()
    watched = [weakref.ref(reference) for reference in (screen, screen.widget, screen._decision)]
    screen.close()
    assert kept() == before
    assert set(comm.get_comm_manager().comms) == comms
    assert not [thread for thread in threading.enumerate() if thread.name == "tokenkit-widget"]
    del screen
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3


@pytest.mark.parametrize("kind", OPEN)
def test_a_closed_widget_has_a_one_line_repr_and_can_be_closed_again(ws, kind):
    screen = OPEN[kind](ws)
    screen.close()
    screen.close()
    assert screen._repr_mimebundle_() == {"text/plain": repr(screen)}


def test_selected_and_filtered_can_be_read_after_an_explorer_is_closed(ws):
    explorer = ws.explore()
    explorer.select(explorer.filtered.head(3))
    selected = explorer.selected
    explorer.close()
    assert explorer.selected.equals(selected)
    assert len(explorer.filtered) == 160


@pytest.mark.parametrize("kind", OPEN)
def test_a_job_in_progress_does_not_update_a_closed_widget(ws, company, kind):
    OPEN[kind](ws).close()
    before = kept()
    screen = OPEN[kind](ws)
    company.faults.add(Fault(method="GET", latency_ms=100))
    screen.refresh()
    screen.close()
    settle()
    assert kept() == before


def test_a_widget_with_a_change_in_progress_cannot_be_closed(ws, company, browser):
    explorer = ws.explore()
    others = explorer.filtered.query("owner != 'admin@example.com' and status == 'active'").head(3)
    explorer.select(others)
    user = browser(explorer)
    user.do("act", action="revoke")
    company.faults.add(Fault(method="DELETE", latency_ms=200))
    explorer._on_event({"event": "confirm", "number": user.asks["number"], "typed": "3", "answers": {}})
    with pytest.raises(tokenkit.UsageError, match="in progress"):
        explorer.close()
    settle()
    explorer.close()
    assert explorer.widget.comm is None
