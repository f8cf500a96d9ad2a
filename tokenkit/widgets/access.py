"""The permission review: the access-control list as a draft, and beside it what the draft would destroy.

Each edit makes a new plan in the background, and the screen shows what it says: who loses the right, which tokens the
workspace would delete. What is applied is that plan, never the draft; an answer about an older draft is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import pandas as pd

from tokenkit.actions.permissions import PermissionPlan
from tokenkit.actions.plan import counted
from tokenkit.review.access import CAN_USE, Identities
from tokenkit.widgets import rows as rows_of
from tokenkit.widgets import style
from tokenkit.widgets.confirmation import SHOWN_ROWS, Confirmation, readable
from tokenkit.widgets.draft import KINDS, LEVELS, Draft, Key, Names
from tokenkit.widgets.table import PageTable, switch_button
from tokenkit.widgets.work import in_background

_LOSING = "Who loses the right"
_NOT_KNOWN = "Not known: more tokens may be lost"
_TOKENS = "Tokens that will be deleted or disabled"
_Wanted = tuple[list[dict[str, str]], list[str]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a permission review needs of whoever it is for.

    Attributes:
        name: What the workspace is called.
        read: Returns the permissions and the workspace's principals, as they are now.
        plan: From a whole list of entries to the plan that replaces the present one by it; also given the ids of
            protected tokens that it may cost, as ``allow_protected``, where there are any.
    """

    name: str
    read: Callable[[], tuple[pd.DataFrame, Identities]]
    plan: Callable[..., PermissionPlan]


class PermissionReview:
    """A screen on which the permissions are drafted, weighed and changed; it shows itself at the end of a cell.

    Args:
        source: Whose permissions they are.
        plain: Whether tables are plain lists, for front ends that cannot load their JavaScript.

    Attributes:
        plan: What the draft would do; None while nothing is drafted, or while that is being worked out.
        widget: What is displayed, to be put into a layout of your own.
    """

    def __init__(self, source: Source, *, plain: bool = False) -> None:
        self._source = source
        self.plan: PermissionPlan | None = None
        self._planning = False
        self._rows: dict[Key, _Row] = {}
        self._notice = style.Notice()
        self._confirmation = Confirmation(source.name, self._carried_out, plain=plain)
        self._list = style.made(widgets.VBox, names=("tk-entries",))
        self._verdict = style.text("", "tk-strong")
        self._minds = style.made(widgets.VBox, names=("tk-minds",))
        self._protected: dict[str, widgets.Checkbox] = {}  # by token: only what is ticked may be deleted
        self._boxes = style.made(widgets.VBox, names=("tk-minds",))
        self._tables = {
            title: (style.text("", "tk-dim"), PageTable(title, plain=plain, short=True))
            for title in (_LOSING, _NOT_KNOWN, _TOKENS)
        }
        parts = [part for caption, table in self._tables.values() for part in (caption, table.widget)]
        consequences = style.made(widgets.VBox, [self._verdict, self._minds, self._boxes, *parts])
        both = style.made(
            widgets.Box,
            [style.made(widgets.VBox, [self._list, self._build_form()]), consequences],
            names=("tk-beside",),
        )
        self.widget = style.screen(self._build_head(plain=plain), self._notice.widget, self._confirmation.widget, both)
        self._begin(source.read())

    def __repr__(self) -> str:
        return f"<PermissionReview of {self._source.name}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return what a front end shows."""
        return style.bundle(self.widget, repr(self))

    def close(self) -> None:
        """Close the screen: its widgets go, in the kernel and in the browser, and with them the memory that they hold.

        Raises:
            UsageError: A change is in progress.
        """
        self._confirmation.require_idle()
        style.close(self.widget)

    # Its parts

    def _build_head(self, *, plain: bool) -> widgets.Box:
        title = style.text(f"Who may use the tokens of {self._source.name}", "tk-title", "tk-grow")
        self._discard = style.button("Discard", self._discarded, says="Discard the draft: nothing is to change")
        self._refresh = style.button("Refresh", self.refresh, says="Read the permissions again; the draft is dropped")
        self._apply = style.button("Apply …", self._ask, says="Apply the draft, once it is confirmed", style="danger")
        switch = switch_button(self._switch, plain=plain)
        return style.row(title, style.together(self._refresh, switch, self._discard, self._apply))

    def _build_form(self) -> widgets.Box:
        self._kind = style.field(widgets.Dropdown, description="Add", options=list(KINDS), layout={"width": "130px"})
        self._name = style.field(
            widgets.Combobox,
            description="Name",
            placeholder="type to search",
            continuous_update=True,
            names=("tk-grow",),
        )
        self._level = style.field(widgets.Dropdown, description="Level", options=LEVELS, layout={"width": "130px"})
        self._kind.observe(lambda _: self._offer(), "value")
        self._name.observe(lambda _: self._offer(), "value")
        add = style.button("Add", self._added, says="Add this entry to the draft")
        return style.row(self._kind, self._name, self._level, add, names=("tk-bottom",))

    # The draft

    def _begin(self, read: tuple[pd.DataFrame, Identities]) -> None:
        """Start a new draft from what was read."""
        permissions, identities = read
        self._draft, self._names = Draft(permissions), Names(identities)
        self._rows = {}  # they are rows of the old draft
        self._forbid_protected()
        self._offer()
        self._show()

    def _show(self) -> None:
        """Show the draft. Rows stay the widgets that they are, so that the focus stays where it is."""
        there = self._rows
        self._rows = {key: there[key] if key in there else self._new_row(key) for key in self._draft.everybody()}
        for number, row in enumerate(self._rows.values(), 1):
            row.show(number)
        style.fill(self._list, [row.widget for row in self._rows.values()])
        self._weigh()

    def _new_row(self, key: Key) -> _Row:
        return _Row(key, self._names.label(key), self._draft, self._edited)

    def _edited(self) -> None:
        self._notice.say("")
        self._confirmation.close()  # it asks about a draft that is no more
        self._forbid_protected()
        self._show()

    def _offer(self) -> None:
        self._name.options = self._names.offered(self._kind.value, self._name.value)

    def _added(self) -> None:
        kind, text = self._kind.value, self._name.value.strip()
        name = self._names.named(kind, text)
        if name is None:
            self._notice.complain(f"{self._source.name} has no {kind} {text!r}. Choose one of those that are offered.")
            return
        self._name.value = ""
        self._draft.put((kind, name), self._level.value)
        self._edited()

    def _discarded(self) -> None:
        self._draft.discard()
        self._edited()

    # What it does

    def _weigh(self) -> None:
        """Work out what the draft does, in the background; one plan at a time, the last draft counts."""
        self.plan = None
        self._apply.disabled = True
        self._discard.disabled = not self._draft.changed
        if not self._draft.changed:
            self._tell("Nothing is to change yet: change a level, remove an entry, or add one.", {})
        elif not self._planning:
            self._planning = True
            self._tell("Working out what this does …", {})
            wanted = entries, allowed = self._wanted()
            options = {"allow_protected": allowed} if allowed else {}
            in_background(
                lambda: self._source.plan(entries, **options),
                done=lambda plan: self._planned(wanted, plan),
                failed=lambda words: self._not_planned(wanted, words),
                on=self.widget,
            )

    def _wanted(self) -> _Wanted:
        """Return the entries of the draft, and the protected tokens that it may cost."""
        return self._draft.entries(), [token_id for token_id, box in self._protected.items() if box.value]

    def _planned(self, wanted: _Wanted, plan: PermissionPlan) -> None:
        self._planning = False
        if wanted != self._wanted():
            self._weigh()
            return
        if not self._draft.began_as(plan.before):
            self._tell("It is not known what this does.", {})
            self._notice.complain("Somebody else changed the permissions since they were read. Press Refresh.")
            return
        self.plan = plan
        protected = plan.protected
        self._apply.disabled = len(protected) > 0
        losing = plan.loses[["principal", "tokens", "effect", "via"]].sort_values(
            "tokens", ascending=False, kind="stable"
        )
        tokens = counted(len(plan), "token")
        lost = f"{counted(len(losing), 'principal')} would lose the right, {tokens} be deleted or disabled."
        nothing = "Nobody would lose the right, and no token be deleted."
        unknown = "It is not known in full who would lose the right."
        others = {
            "protected: select the box of each token that may be deleted": len(protected),
            "gain the right": len(plan.gains),
            "keep it by another path": len(plan.keeps_by_another_path),
        }
        self._tell(lost if len(losing) else unknown if len(plan.not_known) else nothing, others)
        self._offer_protected(protected.head(SHOWN_ROWS))
        self._show_rows(_LOSING, losing)
        self._show_rows(_NOT_KNOWN, plan.not_known)
        self._show_rows(_TOKENS, plan.preview())

    def _offer_protected(self, tokens: pd.DataFrame) -> None:
        """Add a box for each protected token that has none yet; those that are selected stay."""
        added = []
        shown = pd.DataFrame({name: rows_of.text(tokens[name]) for name in ("owner", "comment", "reason")})
        for token_id, owner, comment, reason in zip(tokens["token_id"], *shown.fillna("").to_numpy().T, strict=True):
            if token_id in self._protected:
                continue
            name = f"Delete protected token {len(self._protected) + 1}"  # a number: see style about descriptions
            box = style.made(widgets.Checkbox, description=name, indent=False)
            box.observe(lambda _: self._allowed(), "value")
            self._protected[token_id] = box
            words = " · ".join(filter(None, [token_id[: rows_of.ID_LETTERS], owner, comment, reason]))
            added.append(style.row(box, style.text(words)))
        style.fill(self._boxes, [*self._boxes.children, *added])

    def _allowed(self) -> None:
        self._confirmation.close()
        self._weigh()

    def _forbid_protected(self) -> None:
        """Take the boxes away: they were selected for a draft that is no more."""
        self._protected = {}
        style.fill(self._boxes, [])

    def _not_planned(self, wanted: _Wanted, words: str) -> None:
        self._planning = False
        if wanted != self._wanted():
            self._weigh()
            return
        self._tell("It is not known what this does.", {})
        self._notice.complain(words)

    def _tell(self, verdict: str, minds: Mapping[str, int]) -> None:
        self._verdict.value = verdict
        style.fill(self._minds, [style.text(f"• {count:,} {what}") for what, count in minds.items() if count])
        for caption, table in self._tables.values():
            caption.value = ""
            style.show(table.widget, shown=False)

    def _show_rows(self, title: str, rows: pd.DataFrame) -> None:
        caption, table = self._tables[title]
        shown = rows.head(SHOWN_ROWS)
        more = f", the first {SHOWN_ROWS:,} of {len(rows):,}" if len(rows) > SHOWN_ROWS else ""
        caption.value = f"{title}{more}:" if len(rows) else ""
        style.show(table.widget, shown=bool(len(rows)))
        table.show(readable(shown), [str(each) for each in shown.index])

    def _switch(self, *, plain: bool) -> None:
        for _, table in self._tables.values():
            table.switch(plain=plain)
        self._confirmation.switch(plain=plain)

    # Carrying it out

    def _ask(self) -> None:
        """Ask for the number where something is taken from somebody; where nothing is, there is nothing to confirm."""
        plan = self.plan
        if plan is None:
            return
        if plan.summary().doing:
            self._confirmation.ask(lambda: plan, verb="Apply")
            return
        self._apply.disabled = True
        self._notice.say("Changing the permissions …")
        in_background(
            lambda: plan.apply(progress=False),
            done=lambda _: self._given(plan),
            failed=self._not_given,
            on=self.widget,
        )

    def _given(self, plan: PermissionPlan) -> None:
        self.refresh(then=f"The permissions were changed, and no token was deleted. Run {plan.run_id}.")

    def _not_given(self, words: str) -> None:
        self._notice.complain(words)
        self._apply.disabled = self.plan is None

    def _carried_out(self, _: pd.DataFrame) -> None:
        self.refresh()

    def refresh(self, *, then: str = "") -> None:
        """Read the permissions again, in the background, and begin a new draft.

        Args:
            then: What to say when that is done.
        """
        self._refresh.disabled = True
        self._notice.say(f"Reading {self._source.name} …")
        in_background(
            self._source.read,
            done=lambda read: self._refreshed(read, then),
            failed=self._not_refreshed,
            on=self.widget,
        )

    def _refreshed(self, read: tuple[pd.DataFrame, Identities], then: str) -> None:
        self._refresh.disabled = False
        self._notice.say(then)
        self._begin(read)

    def _not_refreshed(self, words: str) -> None:
        self._refresh.disabled = False
        self._notice.complain(words)


class _Row:
    """One entry: whose, at which level, a button, and what is to become of it."""

    def __init__(self, key: Key, label: str, draft: Draft, edited: Callable[[], None]) -> None:
        self._key = key
        self._draft = draft
        self._edited = edited
        kind, _ = key
        self._whose = style.text(f"{kind} {label}", "tk-grow")
        self._level = style.made(widgets.Dropdown, options=_levels(draft.level(key)), names=("tk-unseen",))
        self._button = style.button("Remove", self._pressed)
        self._change = style.text("", "tk-dim", "tk-change")
        self.widget = style.row(self._whose, self._change, self._level, self._button)
        self._level.observe(lambda change: self._chosen(change["new"]), "value")

    def show(self, number: int) -> None:
        level, fixed = self._draft.level(self._key), self._draft.fixed(self._key)
        if level is not None:
            self._level.value = level
        self._level.disabled = fixed or level is None
        self._button.disabled = fixed
        self._button.description = "Restore" if level is None else "Remove"
        # For screen readers, by the entry's number and never by its name: some browsers take a description for HTML.
        self._level.description = f"Level of entry {number}"
        self._button.tooltip = f"{self._button.description} entry {number}"
        self._change.value = "always has it" if fixed else self._draft.change(self._key)
        (self._whose.add_class if level is None else self._whose.remove_class)("tk-removed")

    def _chosen(self, level: str) -> None:
        if self._draft.level(self._key) not in (level, None):
            self._draft.put(self._key, level)
            self._edited()

    def _pressed(self) -> None:
        if self._draft.level(self._key) is not None:
            self._draft.remove(self._key)
        else:
            self._draft.restore(self._key)
        self._edited()


def _levels(present: str | None) -> list[str]:
    """Return the levels to choose from; one that a newer server has is among them where it is the present one."""
    return list(dict.fromkeys([*LEVELS, present or CAN_USE]))
