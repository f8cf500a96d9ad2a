"""The permission review: a draft of the access control list, and the impact of the draft.

``PermissionReview`` describes the screen as sections and handles its events; a ``face`` shows them. Each edit creates a
new plan in the background, and the screen shows its impact: the principals losing permission, and the tokens that the
workspace would delete. Applying executes this plan, never the draft. A plan for an older draft is discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import frames
from tokenkit.actions.permissions import PermissionPlan, beyond_preview
from tokenkit.actions.plan import Plan
from tokenkit.actions.resumption import RemainingPlan
from tokenkit.core.arguments import flag
from tokenkit.review import access
from tokenkit.review.values import CAN_USE, words
from tokenkit.widgets import access_sections as sections
from tokenkit.widgets import face, style
from tokenkit.widgets.actions import Action, Answers
from tokenkit.widgets.background import in_background
from tokenkit.widgets.decision import SHOWN_ROWS, Decision
from tokenkit.widgets.draft import KINDS, Draft, Key, Names
from tokenkit.widgets.entries import Costs, Entries
from tokenkit.widgets.face import Event
from tokenkit.widgets.plain_access import PlainReview
from tokenkit.widgets.screen import Screen

_NO_PROTECTED = pd.DataFrame({name: pd.Series(dtype=object) for name in ("token_id", "owner", "comment", "reason")})
_Read = tuple[pd.DataFrame, access.Identities, pd.DataFrame]
_Wanted = tuple[list[dict[str, str]], list[str]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The input of a permission review.

    Attributes:
        name: The name of the workspace.
        now: Returns the current time.
        read: Returns the current permissions, principals and tokens of the workspace.
        plan: Returns the plan that replaces the current list by a list of entries. If the user allowed the deletion of
            protected tokens, their ids are passed as ``allow_protected``.
        plan_resume: Returns the plan to finish a run.
    """

    name: str
    now: Callable[[], pd.Timestamp]
    read: Callable[[], _Read]
    plan: Callable[..., PermissionPlan]
    plan_resume: Callable[[str], RemainingPlan]


class PermissionReview(Screen):
    """A screen to draft, review and apply permission changes. It is displayed at the end of a cell.

    Args:
        source: The permissions to review.
        plain: Whether the screen consists of ipywidgets alone, for front ends that cannot load its JavaScript.

    Attributes:
        plan: The plan of the draft; None if the draft has no changes, or while the plan is being computed.
        widget: The displayed widget, for use in a layout of your own.
    """

    _model: Entries

    def __init__(self, source: Source, *, plain: bool = False) -> None:
        flag("plain", plain)
        self._source = source
        self.plan: PermissionPlan | None = None
        self._planning = False
        self._impact = sections.nothing("")
        self._offered = _NO_PROTECTED  # the protected tokens that the plans of this draft would delete
        self._allowed: dict[str, bool] = {}  # by token id; only selected tokens can be deleted
        self._kind = next(iter(KINDS))
        self._decision = Decision(
            source.name,
            changed=self._show_decision,
            done=lambda _: self.refresh(),
            now=source.now,
            plan_resume=source.plan_resume,
        )
        self._events: Mapping[str, Callable[[Event], object]] = {
            **self._page_events(),
            "search": lambda event: self._narrow(text=str(event["text"]).strip()),
            "quick": lambda event: self._on_quick(str(event["value"])),
            "clear": lambda _: self._narrow(text="", quick=""),
            "level": lambda event: self._edit(Draft.put, str(event["id"]), str(event["level"])),
            "remove": lambda event: self._edit(Draft.remove, str(event["id"])),
            "restore": lambda event: self._edit(Draft.restore, str(event["id"])),
            "suggest": lambda event: self._suggest(str(event["kind"]), str(event["text"])),
            "add": lambda event: self._add(str(event["kind"]), str(event["text"]).strip()),
            "allow": lambda event: self._allow(str(event["id"]), on=bool(event["on"])),
            "discard": lambda _: self._discard(),
            "refresh": lambda _: self.refresh(),
            "apply": lambda _: self._ask(),
            "confirm": lambda event: self._decision.confirm(event["number"], str(event["typed"]), event["answers"]),
            "stop": lambda _: self._decision.stop(),
            "retry": lambda _: self._decision.retry(),
            "again": lambda _: self._decision.again(),
            "resume": lambda _: self._decision.resume(),
            "close": lambda _: self._decision.close(),
        }
        title = f"Permission to use tokens of {source.name}"
        self._face = face.make(self._on_event, plain=plain, title=title, in_ipywidgets=PlainReview)
        self.widget = self._face.widget
        self._face.show(notice={"text": "", "is_error": False})
        read = source.read()
        self._model = Entries(*_entries(read))
        self._begin(tokens=read[2])
        self._show_decision()

    def __repr__(self) -> str:
        return f"<PermissionReview of {self._source.name}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the MIME bundle for a front end."""
        return style.bundle(self.widget, repr(self))

    # Display

    def _show(self) -> None:
        """Show the draft, and compute its impact."""
        self._offered, self._allowed = _NO_PROTECTED, {}
        self._show_filters()
        self._recompute_plan()

    def _show_filters(self) -> None:
        self._face.show(quick=sections.quick(self._model), filters=sections.filters(self._model))
        self._show_page()

    def _show_page(self) -> None:
        self._face.show(entries=sections.entries(self._model))

    def _show_draft(self) -> None:
        changes = sections.changes(self._model.draft, self._model.names)
        told = {"changes": len(changes), "told": sections.in_one_line(changes)}
        can_apply = self.plan is not None and not len(self.plan.protected)
        protected = sections.protected(self._offered, self._allowed)
        self._face.show(draft=told | {"can_apply": can_apply, "protected": protected, **self._impact})

    # The draft

    def _refreshed(self, read: _Read) -> None:
        """Start a new draft from the permissions that were read, with the changes of the previous one."""
        self._model.replace(*_entries(read))
        self._begin(tokens=read[2])

    def _begin(self, tokens: pd.DataFrame) -> None:
        self._face.show(
            about={
                "title": "Permission to use tokens",
                "where": self._source.name,
                "line": f"{self._source.name} · {sections.counts(self._model, tokens)} · "
                f"read {self._source.now():%Y-%m-%d %H:%M} UTC",
                "lacks": "",
                "can_refresh": True,
                "browses": False,
            },
            adding=sections.adding(self._model.names, self._kind, ""),
        )
        self._tell("")
        self._show()

    def _edited(self) -> None:
        self._model.edited()
        self._tell("")
        self._decision.close()  # it is about the previous draft
        self._show()

    def _edit(self, change: Callable[..., None], entry: str, *level: str) -> None:
        key = self._model.key_of(entry)
        if key is not None and not self._decision.busy:
            change(self._model.draft, key, *level)
            self._edited()

    def _narrow(self, **filters: str) -> None:
        self._model.narrow(**filters)
        self._show_filters()
        self._say(sections.match(self._model))

    def _on_quick(self, value: str) -> None:
        self._narrow(quick="" if self._model.quick == value else value)

    def _suggest(self, kind: str, text: str) -> None:
        if kind in KINDS:
            self._kind = kind
            self._face.show(adding=sections.adding(self._model.names, kind, text))

    def _add(self, kind: str, text: str) -> None:
        name = self._model.names.named(kind, text) if kind in KINDS else None
        if name is None:
            self._tell(
                f"{self._source.name} has no {words(kind)} {text!r}. Choose one of the suggestions.",
                is_error=True,
            )
            return
        key: Key = (kind, name)
        if self._model.draft.level(key) is not None:
            self._tell(f"{text!r} already has an entry.", is_error=True)
        elif not self._decision.busy:
            self._model.draft.put(key, CAN_USE)
            self._model.show(key)
            self._face.show(adding=sections.adding(self._model.names, kind, "", is_added=True))
            self._edited()

    def _discard(self) -> None:
        self._model.draft.discard()
        self._edited()

    # The impact

    def _recompute_plan(self) -> None:
        """Compute the plan of the draft in the background: one plan at a time, and always of the latest draft."""
        self.plan = None
        if not self._model.draft.changed:
            self._impact = sections.nothing("No changes yet. Remove an entry, or add one.")
        elif not self._planning:
            self._planning = True
            self._impact = sections.nothing("Computing the impact …")
            wanted = entries, allowed = self._wanted()
            options = {"allow_protected": allowed} if allowed else {}
            in_background(
                lambda: self._source.plan(entries, **options),
                done=lambda plan: self._planned(wanted, plan),
                failed=lambda words: self._not_planned(wanted, words),
                on=self.widget,
                waits=self._plan_waits,
            )
        self._show_draft()

    def _plan_waits(self, words: str) -> None:
        self._impact = sections.nothing(f"Computing the impact … {words}")
        self._show_draft()

    def _wanted(self) -> _Wanted:
        """Return the entries of the draft, and the protected tokens that it is allowed to delete."""
        return self._model.draft.entries(), [token_id for token_id, is_allowed in self._allowed.items() if is_allowed]

    def _planned(self, wanted: _Wanted, plan: PermissionPlan) -> None:
        self._planning = False
        if wanted != self._wanted():
            self._recompute_plan()
            return
        if not self._model.draft.began_as(plan.before):
            self._impact = sections.nothing("The impact is unknown.")
            self._show_draft()
            self._tell("The permissions have changed since they were read. Select Refresh.", is_error=True)
            return
        self.plan = plan
        new = plan.protected[~plan.protected["token_id"].isin(list(self._allowed))].head(SHOWN_ROWS)
        if len(new):
            self._offered = frames.concat([self._offered, new[list(_NO_PROTECTED)]])
            self._allowed |= dict.fromkeys(new["token_id"], False)
        self._impact = sections.impact(plan, now=self._source.now())
        self._show_draft()
        self._say(self._impact["verdict"])

    def _not_planned(self, wanted: _Wanted, words: str) -> None:
        self._planning = False
        if wanted != self._wanted():
            self._recompute_plan()
            return
        self._impact = sections.nothing("The impact is unknown. To compute it again, select Refresh.")
        self._show_draft()
        self._tell(f"The impact of the draft could not be computed. {words}", is_error=True)

    def _allow(self, token_id: str, *, on: bool) -> None:
        if token_id in self._allowed and not self._decision.busy:
            self._allowed[token_id] = on
            self._decision.close()
            self._recompute_plan()

    # Applying

    def _ask(self) -> None:
        """Ask for a confirmation of the plan."""
        plan = self.plan
        if plan is None or len(plan.protected):  # the draft changed after the click
            self._say(self._impact["verdict"])
            return
        if self._decision.busy:
            return
        told = sections.in_one_line(sections.changes(self._model.draft, self._model.names))
        cards = self._impact["cards"]

        def asks(plan: Plan, where: str, _: Answers) -> tuple[str, str]:
            doing = plan.summary().doing
            final = " Deletions cannot be undone." if len(plan) else ""
            cost = f"This will {doing}.{final}" if doing else "No principal loses permission."
            return f"Change the permissions on {where}?", f"{told} {cost}"

        def remarks(result: pd.DataFrame) -> list[str]:
            return [*filter(None, [beyond_preview(result)])]

        self._decision.begin(
            Action(
                name="apply",
                verb="Change",
                goes="Change the permissions",
                plan=lambda *_: plan,
                asks=asks,
                cards=cards,
                ends="Permissions changed. ",
                remarks=remarks,
                dangerous=bool(plan.summary().doing),
            ),
            plan.preview(),
        )

    def refresh(self) -> None:
        """Read the permissions again, in the background. The draft keeps the changes that are not applied yet."""
        self._tell(f"Reading {self._source.name} …")
        in_background(
            self._source.read,
            done=self._refreshed,
            failed=self._not_refreshed,
            on=self.widget,
            waits=self._still_reading,
        )

    def _not_refreshed(self, words: str) -> None:
        self._tell(f"The refresh failed. The permissions shown are those read before. {words}", is_error=True)


def _entries(read: _Read) -> tuple[Draft, Names, Costs]:
    permissions, identities, tokens = read
    draft = Draft(permissions)
    return draft, Names(identities), sections.costs_of(access.entry_costs(draft.direct, identities, tokens))
