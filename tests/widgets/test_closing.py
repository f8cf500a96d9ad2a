"""A screen that is closed leaves nothing behind: no widget, no comm, no thread, and nothing that holds it in memory."""

import gc
import threading
import weakref

import comm
import ipywidgets as widgets
import pytest

import tokenkit
from tests.widgets.conftest import settle, tick
from tokenkit.sandbox import Fault
from tokenkit.widgets import style
from tokenkit.widgets.access import PermissionReview

OPEN = {
    "explorer": lambda ws: ws.explore(),
    "plain explorer": lambda ws: ws.explore(plain=True),
    "explorer of a fleet": lambda ws: tokenkit.fleet([ws]).explore(),
    "permission review": lambda ws: ws.review_access(),
    "plain permission review": lambda ws: ws.review_access(plain=True),
}


def kept():
    """Return what ipywidgets keeps, without what all screens share."""
    shared = {id(each) for each in style._SHARED.values()}
    # Until ipywidgets 8.0.3 a class had them.
    registry = widgets.widget._instances if hasattr(widgets.widget, "_instances") else widgets.Widget._active_widgets
    live = registry.values()
    return {f"{type(each).__name__} {id(each)}" for each in live if id(each) not in shared}


def use(screen, somebody):
    """Use everything on a screen that makes widgets."""
    toggles = somebody.parts(widgets.ToggleButton)
    plain = [each for each in toggles if each.description == "Plain list"]
    for each in [*plain, *plain]:
        each.value = not each.value
    if isinstance(screen, PermissionReview):
        for row in list(screen._rows.values())[1:3]:
            row._button.click()
            settle()
        somebody.press("Apply …")
        return
    somebody.press("Select page")
    somebody.press("→")
    somebody.press("Select none")
    screen.select(screen.filtered.query("owner != 'admin@example.com'").head(2))
    if not screen._table.plain:
        tick(screen._table, 3)
    for each in toggles:
        if each.description == "Charts":
            each.value = True
            settle()
    somebody.choose("Idle for", "between …")
    for _ in range(2):
        somebody.press("Revoke …")
        somebody.press("Preview")
        somebody.press("Cancel")
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", str(screen._confirmation.plan.summary().count))
    somebody.press("Revoke")
    somebody.press("Refresh")


@pytest.mark.parametrize("kind", OPEN)
def test_a_closed_screen_leaves_no_widget_no_comm_and_no_thread_and_is_collected(ws, person, kind):
    OPEN[kind](ws).close()  # what all share is made once
    gc.collect()
    before, comms = kept(), set(comm.get_comm_manager().comms)
    screen = OPEN[kind](ws)
    use(screen, person(screen.widget))
    screen._repr_mimebundle_()
    watched = [weakref.ref(each) for each in (screen, screen.widget, screen._confirmation)]
    screen.close()
    assert kept() == before
    assert set(comm.get_comm_manager().comms) == comms
    assert not [each for each in threading.enumerate() if each.name == "tokenkit-widget"]
    del screen
    gc.collect()
    assert [each() for each in watched] == [None] * 3


@pytest.mark.parametrize("kind", OPEN)
def test_a_closed_screen_is_one_line_and_can_be_closed_again(ws, kind):
    screen = OPEN[kind](ws)
    screen.close()
    screen.close()
    assert screen._repr_mimebundle_() == {"text/plain": repr(screen)}


def test_what_is_selected_and_filtered_can_be_read_after_an_explorer_is_closed(ws):
    explorer = ws.explore()
    explorer.select(explorer.filtered.head(3))
    selected = explorer.selected
    explorer.close()
    assert explorer.selected.equals(selected)
    assert len(explorer.filtered) == 160


@pytest.mark.parametrize("kind", OPEN)
def test_what_was_under_way_says_nothing_to_a_closed_screen(ws, company, person, kind):
    OPEN[kind](ws).close()
    before = kept()
    screen = OPEN[kind](ws)
    company.faults.add(Fault(method="GET", latency_ms=100))
    somebody = person(screen.widget)
    somebody.named(widgets.Button, "Refresh").click()
    screen.close()
    settle()
    assert kept() == before


def test_a_screen_whose_change_is_in_progress_is_not_closed(ws, company, person):
    explorer = ws.explore()
    others = explorer.filtered.query("owner != 'admin@example.com' and status == 'active'").head(3)
    explorer.select(others)
    somebody = person(explorer.widget)
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", "3")
    company.faults.add(Fault(method="DELETE", latency_ms=200))
    somebody.named(widgets.Button, "Revoke").click()
    with pytest.raises(tokenkit.UsageError, match="in progress"):
        explorer.close()
    settle()
    explorer.close()
    assert explorer.widget.comm is None
