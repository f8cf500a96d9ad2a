"""How a command line spells what messages of the layers below name in Python: with its options and commands.

A message asks for the counterpart of a piece with ``core.spelling.spelled``. A piece that no command line has, such as
``host=…``, includes the words around it, so that its counterpart is a phrase, or nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

COUNTERPARTS: Mapping[str, str] = {
    # options
    "include_own=True": "--include-own",
    "allow_protected=[…]": "--allow-protected",
    "plan.preview() shows all of them": "--dry-run shows all of them",
    "ignore_usage=True": "--ignore-usage",
    "start_warehouse=True": "--start-warehouse",
    "Pass account_id=…": "Add --account-id ID",
    "Pass warehouse_id=…": "Add --warehouse-id ID",
    "pass rows=… from an earlier query": "give the rows of an earlier query with --rows",
    "Pass newer evidence with usage=ws.usage(…)": "Read newer evidence with --usage and its options",
    "Pass newer evidence with usage=ws.usage(days={days})": "Read newer evidence with --usage --days {days}",
    "Pass newer evidence with usage=ws.usage(days={days}, warehouse_id={warehouse_id!r})": (
        "Read newer evidence with --usage --days {days} --warehouse-id {warehouse_id}"
    ),
    "Pass newer evidence with usage=ws.usage(days={days}, warehouse_id={warehouse_id!r}, start_warehouse=True)": (
        "Read newer evidence with --usage --days {days} --warehouse-id {warehouse_id} --start-warehouse"
    ),
    "pass usage=ws.usage()": "--usage",
    'where="scopes.isna()", status="active"': (
        'the filters of `{program} {fleet}list --where "scopes.isna()" --status active{selection}`'
    ),
    "pass thresholds={{{rule!r}: {{{threshold!r}: [...]}}}}": "--threshold {rule}.{threshold}=…",
    "Pass comment=…, scopes=…, or a frame with the column new_comment or new_scopes": "Add --comment or --scopes",
    'Pass fleet(["prod", "dev"]), or account=…': "Add --profiles prod,dev or --account NAME",
    "Pass connect({profile!r}) instead": "Add the host to the profile",
    "Pass a frame with the columns workspace and token_id, as fleet.tokens() returns it": (
        "Use filters, or the rows of `{program} fleet list{selection}`"
    ),
    "For one workspace, use fleet.workspace(host).revoke(…)": "For one workspace, use its profile with --profile",
    # commands
    "fleet(account=…)": "{program} fleet … --account NAME",
    # A command says it after the result.
    "; to finish, run tokenkit.resume({run_id!r}), or in a shell tokenkit resume {run_id}": "",
    "Save one with snapshot()": "Save one with `{program} fleet snapshot{selection}`",
    "Fleet.runs() lists all runs": "`{program} fleet journal{selection}` lists all runs",
    "Use Workspace.snapshots() to list snapshots": "`{program} snapshot` saves one",
    'audit.report("audit.xlsx")': "{program} report --to audit.xlsx{selection}",
    'audit.tokens.sort_values("effective_end")': "{program} list --status active --sort effective_end{selection}",
    "For other formats, use the methods of the DataFrame that tokens() returns": (
        "For other formats, use `{program} list --to FILE`"
    ),
    # credentials and workspaces
    "Pass the token as token=…": "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or use a profile with --profile",
    "Pass host=… and token=…, set": "Set",
    ", or pass host=…": "",
    ", or pass host=… and token=…": "",
    ", or pass home=…,": "",
    ", or pass workspace_id=…": "",
    "; with connect(…, workspace_id=…) where that does not help": "; add ?o=ID to the host if that does not help",
    "Connect there, and pass workspace=…": "Name its profile with --profile",
    "Connect to that host and pass workspace=…": "Name its profile with --profile",
    "Connect to {address} and pass workspace=…": "Name a profile of {address} with --profile",
    'Name a profile of ~/.databrickscfg with connect("prod"), set DATABRICKS_HOST and DATABRICKS_TOKEN, or pass host=… '
    'and token=… to connect(). To try tokenkit without a workspace, use connect("sandbox") or run `tokenkit lab`': (
        "Name a profile of ~/.databrickscfg with --profile prod, or set DATABRICKS_HOST and DATABRICKS_TOKEN. To try "
        "tokenkit without a workspace, use --profile sandbox or run `tokenkit lab`"
    ),
    # the errors of a fleet, which a command prints
    "; see .errors": "",
    ": see .errors": "",
    "; see the fleet's .errors": "",
    ": see the fleet's .errors": "",
    " Use one of its .hosts.": "",
    # the remedies of rules, as a whole
    "Grant the permission to the groups that need it and remove it from users. ws.plan_permissions() shows which "
    "tokens will be deleted.": (
        "Grant the permission to the groups that need it and remove it from users. `{program} permissions set … "
        "--dry-run` shows which tokens will be deleted."
    ),
    "Narrow its scopes to those that it used: ws.plan_scopes().": (
        "Narrow its scopes to those that it used: `{program} scopes`."
    ),
    "Ask the owner for the purpose and record it: ws.plan_update(…, comment=…).": (
        "Ask the owner for the purpose and record it: `{program} update … --comment`."
    ),
    "Find the program with ws.usage(), move it to a service principal, then revoke the token.": (
        "Find the program with `{program} usage`, move it to a service principal, then revoke the token."
    ),
    "Compare the networks with ws.usage(). Create a token for each location, then revoke this one.": (
        "Compare the networks with `{program} usage`. Create a token for each location, then revoke this one."
    ),
    "Check the addresses with ws.usage(). Revoke the token if they are not yours.": (
        "Check the addresses with `{program} usage`. Revoke the token if they are not yours."
    ),
}
"""The counterpart of each piece. ``{program}`` is ``tokenkit`` or ``%tokens``, ``{fleet}`` is ``fleet`` after a
command over multiple workspaces, and ``{selection}`` is the options that select the workspaces of the command.
"""
_MARK = re.compile(r"\{(?:program|fleet|selection)\}")


def counterparts(program: str, path: str = "", selection: Sequence[str] = ()) -> dict[str, str]:
    """Return the counterpart of each piece.

    Args:
        program: The name of the program.
        path: The command that runs.
        selection: The options that select the workspaces, with their values.
    """
    values = {
        "{program}": program,
        "{fleet}": "fleet " if path.startswith("fleet ") else "",
        "{selection}": f" {shlex.join(selection)}" if selection else "",
    }
    return {piece: _MARK.sub(lambda mark: values[mark[0]], text) for piece, text in COUNTERPARTS.items()}
