"""Fixtures of the widget tests: simulated users of both faces, without a kernel and without a browser."""

import json
import threading

import ipywidgets as widgets
import pytest


@pytest.fixture
def ids(company):
    """The ids of the tokens that the workspace has now."""
    return lambda: set(company.workspaces[0].state.tokens.ids())


def settle():
    """Wait until all jobs have ended; a job can start another."""
    while jobs := [thread for thread in threading.enumerate() if thread.name == "tokenkit-widget"]:
        for job in jobs:
            job.join(timeout=60)
            assert not job.is_alive()


class Browser:
    """What a browser does with the face in JavaScript: it keeps the sections that it receives, and sends events.

    Attributes:
        sections: The sections, as they are on the screen.
        received: All messages, oldest first.
    """

    def __init__(self, screen):
        self.widget = screen.widget
        self.sections = {}
        self.received = []
        self.widget.send = self._receive
        self.clicks = 0
        self.do("hello")

    def _receive(self, content, buffers=None):
        assert not buffers
        content = json.loads(json.dumps(content, allow_nan=False))
        self.received.append(content)
        self.sections |= content.get("sections") or {}

    def do(self, event, **data):
        """Send an event, and wait for its jobs. The answer names it."""
        self.clicks += 1
        ack = ["test", self.clicks]
        self.widget._handle_custom_msg({"event": event, **data, "ack": ack}, [])
        assert [content for content in self.received if content.get("ack") == ack] != []
        settle()

    @property
    def page(self):
        """The keys of the rows on the screen."""
        return [row["id"] for row in self.sections["table"]["rows"]]

    @property
    def ticked(self):
        """The keys of the rows whose boxes are checked."""
        return self.sections["selection"]["ids"]

    @property
    def asks(self):
        """The decision on the screen."""
        return self.sections["decision"]

    @property
    def says(self):
        """The last announcement."""
        return self.sections["said"]["text"]

    def tick(self, *keys, on=True):
        self.do("tick", ids=list(keys), on=on)

    def filter(self, field, *values):
        self.do("filter", field=field, values=list(values))

    def confirm(self, count, **answers):
        self.do("confirm", number=self.asks["number"], typed=str(count), answers=answers)

    def revoke(self, count):
        self.do("act", action="revoke")
        self.confirm(count)


class Person:
    """A user of ipywidgets: of the plain face, and of the permission review."""

    def __init__(self, screen):
        self._screen = screen

    def parts(self, kind, root=None):
        """Return all visible widgets of a kind."""
        root = self._screen if root is None else root
        if root.layout.display == "none":
            return []
        inside = [found for child in getattr(root, "children", ()) for found in self.parts(kind, child)]
        return [root, *inside] if isinstance(root, kind) else inside

    def named(self, kind, name):
        """Return the widget of a kind whose description is this, or starts with it."""
        found = self.parts(kind)
        (one,) = [part for part in found if part.description == name] or [
            part for part in found if part.description.startswith(name)
        ]
        return one

    def press(self, name):
        """Press a button, and wait for its jobs."""
        button = self.named(widgets.Button, name)
        assert not button.disabled, f"{name} cannot be pressed"
        button.click()
        settle()

    def type(self, name, text):
        """Type into a text field."""
        self.named(widgets.Text, name).value = text

    def choose(self, name, choice):
        """Choose from a list, by the label without the count."""
        listed = self.named(widgets.Dropdown, name)
        (listed.value,) = [
            value for label, value in listed.options if label == choice or label.startswith(f"{choice} (")
        ]

    def filter(self, field, choice):
        """Filter by a choice of a field."""
        self.choose("Filter by", field)
        listed = self.named(widgets.SelectMultiple, "Values")
        (value,) = [value for label, value in listed.options if label.startswith(f"{choice} (")]
        listed.value = (*listed.value, value)

    @property
    def tokens(self):
        """The list of the tokens of the page."""
        return self.named(widgets.SelectMultiple, "Tokens")

    def tick(self, *positions):
        """Select tokens of the page."""
        chosen = [self.tokens.options[position][1] for position in positions]
        self.tokens.value = (*self.tokens.value, *chosen)

    def reads(self):
        """Return all visible text."""
        texts = [part.value for part in self.parts((widgets.Label, widgets.Textarea)) if part.value]
        return [line for text in texts for line in text.split("\n")]


@pytest.fixture
def browser():
    return Browser


@pytest.fixture
def person():
    return Person
