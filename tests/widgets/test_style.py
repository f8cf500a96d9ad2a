"""The parts of widgets share their styles, and nothing else."""

import ipywidgets as widgets

from tokenkit.widgets import style


def test_parts_of_a_kind_share_their_style():
    first, second = style.button("One", print), style.button("Two", print)
    assert first.layout is second.layout
    assert first.style is second.style
    assert first.layout is not style.made(widgets.Text, layout={"width": "9px"}).layout


def test_hiding_a_part_does_not_hide_others():
    first, second = style.text("one"), style.text("two")
    style.show(first, shown=False)
    assert (first.layout.display, second.layout.display) == ("none", None)
    style.show(first)
    assert first.layout.display is None


def test_a_closed_style_is_not_reused():
    widgets.Widget.close_all()
    assert style.text("after").layout.comm is not None
