"""The verbs that only read: connect, list, get, permissions, access, journal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors, files
from tokenkit.actions.plan import counted
from tokenkit.fleet import Fleet
from tokenkit.frames import TokenInfo
from tokenkit.review import filters
from tokenkit.review.filters import FILTERS
from tokenkit.verbs.session import Session
from tokenkit.workspace import Workspace

_SHORTEST_PREFIX = 8
_WHOLE_ID = 64


def connect(session: Session, options: argparse.Namespace) -> Workspace:
    """Connect, and ask the workspace who we are, so that a wrong credential shows here and not later."""
    if options.target and options.profile:
        raise errors.UsageError(f"Which of them, {options.target!r} or the profile {options.profile!r}? Give one.")
    workspace = session.connect(options.target or options.profile)
    session.say(f"Connected to {workspace.name} as {workspace.me()}.")
    return workspace


def list_tokens(session: Session, options: argparse.Namespace) -> pd.DataFrame | Path:
    """List the tokens that the filters keep, or write them into a file."""
    if options.to is not None:
        files.ending_of(options.to)
    workspace = session.workspace(options.profile)
    found = selected(workspace, options)
    if not len(found):
        for sentence in filters.misspelt(workspace.tokens(), criteria_of(options)):
            session.warn(sentence)
    _check_columns(options.columns or [], found)
    session.remember(found)
    tokens = limited(found, options)
    cut = "" if len(tokens) == len(found) else f", of which the first {len(tokens):,}"
    session.say(f"{workspace.name}: {counted(len(found), 'token')}{cut}.")
    shown = tokens[options.columns] if options.columns else tokens
    if options.to is None:
        return shown
    say_if_replaced(session, options.to)
    return files.save({"tokens": shown}, options.to, progress=session.shows_progress)


def say_if_replaced(session: Session, to: str) -> None:
    """Say of a file that is about to be written that it is there already."""
    if Path(to).exists():
        session.say(f"{to} was there, and is replaced.")


def criteria_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the filters that a command was given."""
    return {each.name: getattr(options, each.name) for each in FILTERS}


def selected(workspace: Workspace, options: argparse.Namespace) -> pd.DataFrame:
    """Return the tokens that a command's filters choose, in its order."""
    tokens = workspace.tokens(options.where, **criteria_of(options))
    if options.sort:
        name, descending = options.sort.lstrip("-"), options.sort.startswith("-")
        _check_columns([name], tokens)
        tokens = tokens.sort_values(name, ascending=not descending, kind="stable")
    return tokens


def limited(tokens: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Return as many of the tokens as a command asks for."""
    return tokens if options.limit is None else tokens.head(options.limit)


def get(session: Session, options: argparse.Namespace) -> TokenInfo:
    """Return what the workspace knows of one token."""
    workspace = session.workspace(options.profile)
    token_id = options.token_id
    if len(token_id) < _WHOLE_ID:
        found = whole_ids([token_id], workspace.token_management.list(), workspace)
        token_id = found[0]
    token = workspace.token_management.get(token_id)
    session.say(f"{workspace.name}: 1 token.")
    return token


def permissions_show(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return who may use tokens, a row for each principal and level."""
    workspace = session.workspace(options.profile)
    permissions = permissions_of(workspace)
    session.say(f"{workspace.name}: {counted(len(permissions), 'permission')}.")
    return permissions


def permissions_of(workspace: Workspace | Fleet) -> pd.DataFrame:
    """Return who may use tokens; of a fleet, where."""
    return workspace.permissions() if isinstance(workspace, Fleet) else workspace.token_management.get_permissions()


def permissions_levels(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return the levels that can be granted."""
    workspace = session.workspace(options.profile)
    levels = workspace.token_management.get_permission_levels()
    session.say(f"{workspace.name}: {counted(len(levels), 'level')}.")
    return levels


def access(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return everybody who may use tokens or holds one."""
    workspace = session.workspace(options.profile)
    everybody = workspace.access(options.where)
    may_use, without = int(everybody["may_use"].sum()), int(everybody["holds_without_right"].sum())
    session.say(
        f"{workspace.name}: {counted(may_use, 'principal')} with the right to use tokens, {without:,} with tokens and "
        "without the right."
    )
    return everybody


def journal(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return what was done to the workspace's tokens from here."""
    workspace = session.workspace(options.profile)
    rows = workspace.runs() if options.runs else workspace.journal()
    if options.run_id:
        known = rows["run_id"].drop_duplicates().tolist()[::-1]
        rows = rows[_of_run(rows, options.run_id)]
        if not len(rows):
            raise errors.UsageError(
                f"The journal of {workspace.name} has no run {options.run_id!r}. "
                f"{errors.did_you_mean(options.run_id, known)}"
            )
    session.say(f"{workspace.name}: {counted(len(rows), 'run' if options.runs else 'token')} in the journal.")
    return rows


def _of_run(rows: pd.DataFrame, run_id: str) -> pd.Series[bool]:
    """Tell which rows of a journal are of a run, or of a part of it."""
    return (rows["run_id"] == run_id) | rows["run_id"].str.startswith(f"{run_id}.")


def whole_ids(given: list[str], listing: pd.DataFrame, workspace: Workspace) -> list[str]:
    """Return the ids that were meant; the first characters are enough where they name one token.

    Raises:
        UsageError: No token has that id, or several begin with it.
    """
    ids = listing["token_id"]
    known = set(ids)
    found: list[str] = []
    for word in given:
        matches = ids[ids == word].tolist() if word in known else ids[ids.str.startswith(word)].tolist()
        if len(word) < _SHORTEST_PREFIX and word not in known:
            raise errors.UsageError(
                f"{word!r} is too short: give at least {_SHORTEST_PREFIX} characters of a token's id."
            )
        if len(matches) != 1:
            several = ", ".join(each[: len(word) + 6] for each in matches[:3])
            problem = f"{len(matches)} tokens whose ids begin with {word!r}: {several}. Give more characters."
            raise errors.UsageError(f"{workspace.name} has {problem if matches else f'no token {word!r}.'}")
        found += matches
    return found


def _check_columns(names: list[str], tokens: pd.DataFrame) -> None:
    for name in names:
        if name not in tokens.columns:
            raise errors.UsageError(f"There is no column {name!r}. {errors.did_you_mean(name, tokens.columns)}")
