"""What the tests of the screens share: a person who clicks in a kernel that is not there."""

import threading

import ipywidgets as widgets
import pytest

from tokenkit.widgets.style import STOWAWAYS


@pytest.fixture
def ids(company):
    """The ids of the tokens that the workspace has at this moment."""
    return lambda: set(company.workspaces[0].state.tokens.ids())


def settle():
    """Wait until nothing is under way any more; a job may start another."""
    while jobs := [each for each in threading.enumerate() if each.name == "tokenkit-widget"]:
        for job in jobs:
            job.join(timeout=60)
            assert not job.is_alive()


class Person:
    """Somebody who looks at a screen and uses what is on it."""

    def __init__(self, screen):
        self._screen = screen

    def parts(self, kind, root=None):
        """Return every widget of a kind that can be seen."""
        root = self._screen if root is None else root
        if root.layout.display == "none":
            return []
        inside = [found for child in getattr(root, "children", ()) for found in self.parts(kind, child)]
        return [root, *inside] if isinstance(root, kind) else inside

    def named(self, kind, name):
        """Return the one widget of a kind with this description, or the beginning of it."""
        found = self.parts(kind)
        (one,) = [each for each in found if each.description == name] or [
            each for each in found if each.description.startswith(name)
        ]
        return one

    def press(self, name):
        """Press a button, and wait for what it starts."""
        button = self.named(widgets.Button, name)
        assert not button.disabled, f"{name} cannot be pressed"
        button.click()
        settle()

    def type(self, name, text):
        """Type into a box."""
        self.named(widgets.Text, name).value = text

    def choose(self, name, choice):
        """Choose from a list, by the words before the count."""
        listed = self.named(widgets.Dropdown, name)
        (listed.value,) = [
            value for label, value in listed.options if label == choice or label.startswith(f"{choice} (")
        ]

    def reads(self):
        """Return all text that can be read."""
        return [each.value for each in self.parts(widgets.Label) if each.value]


@pytest.fixture
def person():
    return Person


def tick(table, *positions):
    """Tick rows of a page as itables reports it: positions, after those of the rows that carry the page's number."""
    shown = table._table
    shown.selected_rows = [*shown.selected_rows, *(STOWAWAYS + each for each in positions)]
