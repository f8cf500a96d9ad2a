"""Completion in a notebook, and in shells with the script of ``tokenkit completion``."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

import tokenkit
from tests.parts import missing
from tokenkit import cli, frames
from tokenkit.actions.journal import Journal
from tokenkit.commands import completion, recorded
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.output.snapshots import write_snapshot

SHELLS = ("bash", "zsh", "fish")


class Remembering:
    """A front end with a listing."""

    def known(self, column, profiles):  # noqa: ARG002
        listing = {"owner": ["ann", "bob"], "token_id": ["aa" * 32, "ab" * 32], "created_by_username": ["ann", "cy"]}
        return listing.get(column, [])


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", {"list", "revoke", "permissions", "connect"}),
        ("rev", {"revoke"}),
        ("permissions ", {"show", "levels", "set", "add", "remove"}),
        ("fleet per", {"permissions"}),
        ("fleet permissions ", {"show", "set", "add", "remove"}),
        ("list --ow", {"--owner"}),
        ("list ", {"--owner", "--where", "--profile", "--help"}),
        ("list --status ", {"active", "expired"}),
        ("list --status ex", {"expired"}),
        ("list --status=ex", {"--status=expired"}),
        ("list --owner ", {"ann", "bob"}),
        ("list --owner=a", {"--owner=ann"}),
        ("list --created-by c", {"cy"}),
        ("list --owner ann --ow", {"--owner"}),
        ("get a", {"aa" * 32, "ab" * 32}),
        ("revoke aa", {"aa" * 32}),
        ("revoke --yes aa", {"aa" * 32}),
        ("update ab", {"ab" * 32}),
        ("list --profile ", {"prod", "sandbox"}),
        ("connect ", {"prod", "sandbox"}),
        ("fleet list --profiles prod,sa", {"prod,sandbox"}),
        ("list --columns owner,tok", {"owner,token_id"}),
        ("access --columns ", {"principal", "via"}),
        ("revoke --sort idle", {"idle_days"}),
        ("list --sort=-", {"--sort=-idle_days", "--sort=-owner"}),
        ("list --sort=-idle", {"--sort=-idle_days"}),
        ("fleet access --sort=-tok", {"--sort=-tokens"}),
        ("revoke --columns outc", {"outcome"}),
        ("fleet revoke --columns w", {"warnings", "workspace"}),
        ("scopes --narrow --columns outc", {"outcome"}),
        ("resume 2026 --columns warn", {"warnings"}),
        ("create-obo x --va", {"--variable"}),
        ("audit --rule no-e", {"no-expiry"}),
        ("audit --threshold unused.", {"unused.idle_days="}),
        ("changes ear", {"earlier.parquet"}),
        ("list --to=ear", {"--to=earlier.parquet"}),
    ],
)
def test_completion_has_commands_options_profiles_statuses_owners_ids_and_files(line, offered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "earlier.parquet").touch()
    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://a\n")
    words = line.split()
    prefix = "" if not line or line.endswith(" ") else words.pop()
    found = set(completion.complete(words, prefix, MAGIC, Remembering()))
    assert offered <= found
    assert not prefix or all(offer.startswith(prefix) for offer in found)
    assert "sandbox" not in found or line.endswith(("connect ", "--profile "))  # a command of the shell


@pytest.mark.parametrize("line", ["nothing ", "list --nothing x --own", "list --idle 90 --st", "get", "list --limit "])
def test_completion_raises_no_errors(line):
    words = line.split()
    prefix = "" if line.endswith(" ") else words.pop()
    assert isinstance(completion.complete(words, prefix, MAGIC, Remembering()), list)


def test_an_option_is_completed_again_only_if_it_is_repeatable():
    found = completion.complete(["list", "--limit", "5", "--owner", "ann"], "--", MAGIC, Remembering())
    assert "--limit" not in found
    assert {"--owner", "--sort"} <= set(found)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("list --columns wor", set()),  # of a fleet
        ("fleet list --columns wor", {"workspace", "workspace_id"}),
        ("list --columns pri", set()),
        ("revoke --columns sev", set()),
        ("scopes --columns outc", set()),
        ("resume --columns warn", set()),
        ("list --columns owner,own", {"owner,owner_id", "owner,owner_kind", "owner,owner_active"}),
        ("list --columns owner --columns own", {"owner_id", "owner_kind", "owner_active"}),
        ("fleet list --profiles prod,pr", {"prod,prod-eu"}),
    ],
)
def test_columns_of_other_commands_and_what_was_given_are_not_offered(line, offered, tmp_path):
    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://a\n[prod-eu]\nhost = https://b\n")
    *words, prefix = line.split()
    found = completion.complete(words, prefix, MAGIC, Remembering())
    assert {*found} - {"workspace_id"} == offered - {"workspace_id"}


# For every line of $LINES: one completion per line, followed by a slash, and then a line with "=".
BASH = r"""
source <(tokenkit completion bash)
function=$(complete -p tokenkit | sed 's/.*-F \([^ ]*\) .*/\1/')
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "${COMP_LINE//=/ = }"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    $function tokenkit
    printf '%s/\n' "${COMPREPLY[@]}"; echo =
done <<< "$LINES"
"""
# Without its line editor, zsh does not complete: print the completions of the script.
ZSH = r"""
autoload -U compinit; compinit -u -d "$HOME/zcompdump"
source <(tokenkit completion zsh)
compadd() { print -l -- "${(@P)^argv[-1]}/" }
_describe() { print -l -- "${(@)^${(@P)argv[3]}%%:*}/" }
for line in "${(f)LINES_}"; do words=(${(z)line}); CURRENT=$#words; $_comps[tokenkit]; print =; done
"""
FISH = r"""
tokenkit completion fish | source
for line in (string split \n -- $LINES_)
    for offer in (complete -C $line); printf '%s/\n' (string split -f 1 \t -- $offer); end; echo =
end
"""


@pytest.fixture
def tab(tmp_path, fresh_sandbox, connected):
    """Return the completions of a shell at the end of several lines.

    On this computer are a snapshot, and a journal with a finished update and a staged revocation.
    """
    ws = connected(fresh_sandbox)
    ws.snapshot()
    ws.plan_update(ws.tokens("owner_kind == 'user'").head(1), comment="new").apply(progress=False)
    ws.plan_revocation(ws.tokens("owner_kind == 'user'").tail(1)).stage(grace="7d")
    fresh_sandbox.stop()
    command = tmp_path / "bin" / "tokenkit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tokenkit "$@"\n')
    command.chmod(0o755)
    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://a\n")
    (tmp_path / "earlier.parquet").touch()

    def offers(shell, lines):
        if shutil.which(shell) is None:
            missing(f"{shell} is not installed (Debian: apt-get install {shell})")
        script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
        options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        environment = {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LINES": "\n".join(lines),
            "LINES_": "\n".join(lines),  # zsh and fish set the other to the height of the terminal
        }
        done = subprocess.run(
            [shell, *options, "-c", script],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [{each[:-1] for each in block.splitlines()} for block in done.stdout.split("=\n")[:-1]]

    return offers


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_ids_owners_and_runs_from_what_is_on_this_computer(tab, shell, tmp_path):
    listing = tokenkit.read_snapshot(next((tmp_path / "home").rglob("*.parquet")))
    token, owner = listing["token_id"].iloc[0], listing.query("owner_kind == 'user'")["owner"].iloc[0]
    with Journal(tmp_path / "home") as journal:
        update, staged = journal.runs()["run_id"]
    lines = {
        f"tokenkit get {token[:9]}": token,
        f"tokenkit revoke {token[:9]}": token,
        f"tokenkit list --owner {owner[:-4]}": owner,
        "tokenkit fleet list --profiles sandbox,pr": "sandbox,prod",
    }
    assert tab(shell, lines) == [{offer} for offer in lines.values()]
    of_runs = {"resume": {staged}, "undo": {update}, "journal --run": {update, staged}}
    assert tab(shell, [f"tokenkit {command} {update[:6]}" for command in of_runs]) == list(of_runs.values())


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(id)", "`id`", "a\nb", "-rf", "a b"])
def test_a_name_that_a_shell_would_run_is_not_offered(name, tmp_path):
    folder = tmp_path / "home" / "snapshots"
    folder.mkdir(parents=True)
    listing = pd.DataFrame({"owner": [name, "ann@example.com"]})
    listing.to_parquet(folder / "one.parquet")
    assert recorded.values("owner") == ["ann@example.com"]


def snapshot_of(folder, owner, **origin):
    """Write a snapshot whose only token has an owner."""
    text = pd.Series([owner], dtype=frames.TEXT)
    listing = frames.frame([{"token_id": "a" * 64}], frames.TOKENS).assign(owner=text)
    taken_at = pd.Timestamp("2026-03-01", tz="UTC")
    write_snapshot(listing, folder / f"{owner}.parquet", workspace=origin["host"], taken_at=taken_at, **origin)
    return folder / f"{owner}.parquet"


def test_the_workspace_of_the_line_decides_whose_names_are_offered(tmp_path, monkeypatch):
    (tmp_path / "databrickscfg").write_text(
        "[one]\nhost = https://a.cloud.databricks.com\n[two]\nhost = https://b.cloud.databricks.com/?o=7\n"
        "[none]\nhost = https://c.cloud.databricks.com\n"
    )
    folder = tmp_path / "home" / "snapshots"
    a, b = ({"host": f"https://{name}.cloud.databricks.com"} for name in "ab")
    files = [
        snapshot_of(folder, "earlier", **a, workspace_id="5"),
        snapshot_of(folder, "ann", **a, workspace_id="5"),
        snapshot_of(folder / "of_a_fleet", "bob", **b, workspace_id="7"),
        snapshot_of(folder, "cy", **b, workspace_id="8"),
    ]
    for age, file in enumerate(reversed(files)):
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    (folder / "broken.parquet").write_text("no Parquet")
    offered = {
        "list --owner ": ["cy"],
        "list --profile one --owner ": ["ann"],
        "list --profile=two --owner ": ["bob"],
        "list --profile b.cloud.databricks.com --owner ": ["cy"],
        "list --profile none --owner ": [],
        "list --profile unknown --owner ": [],
        "fleet list --profiles one,two --owner ": ["ann", "bob"],
        "get --profile one ": ["a" * 64],
        "revoke --profile none ": [],
    }
    session = cli._ShellSession()
    for line, names in offered.items():
        assert completion.complete(line.split(), "", SHELL, session) == names, line
    (tmp_path / "home" / "config.toml").write_text("[defaults]\nprofile = 'two'")
    assert completion.complete(["list", "--owner"], "", SHELL, session) == ["bob"]
    (tmp_path / "home" / "config.toml").write_text("[defaults")  # running a command reports it
    assert completion.complete(["list", "--owner"], "", SHELL, session) == ["cy"]
    (tmp_path / "home" / "config.toml").write_text("[defaults]\nprofile = 'two'")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "one")
    assert completion.complete(["list", "--owner"], "", SHELL, session) == ["ann"]
    assert completion.complete(["list", "--profile", "two", "--owner"], "", SHELL, session) == ["bob"]


def test_without_a_snapshot_and_a_journal_nothing_is_offered(tmp_path):
    assert (recorded.values("owner"), recorded.run_ids(), recorded.updates(), recorded.unfinished()) == ([], [], [], [])
    (tmp_path / "home" / "snapshots").mkdir(parents=True)
    (tmp_path / "home" / "snapshots" / "x.parquet").write_text("no Parquet")
    (tmp_path / "home" / "journal.sqlite").write_text("no journal")
    assert (recorded.values("owner"), recorded.run_ids(), recorded.updates(), recorded.unfinished()) == ([], [], [], [])


@pytest.mark.parametrize("home", ["~nosuchuser/x", "fifo"])
def test_a_state_folder_that_cannot_be_read_offers_nothing(home, tmp_path, monkeypatch):
    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo" / "journal.sqlite")
    monkeypatch.setenv("TOKENKIT_HOME", home if home.startswith("~") else str(tmp_path / home))
    assert (recorded.values("owner"), recorded.run_ids()) == ([], [])


def journal_of(tmp_path, runs, tokens=1):
    """Write a journal with runs, each of an ID and the last state of its tokens."""
    with Journal(tmp_path / "home") as journal:
        journal.runs()  # creates it
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "journal.sqlite")) as file, file:
        for at, (run_id, state) in enumerate(runs):
            file.execute(
                "INSERT INTO runs (run_id, kind, host, workspace, origin, caller, settings, started_ms) "
                "VALUES (?, 'revoke', '', '', '', '', '{}', ?)",
                [run_id, at],
            )
            file.executemany(
                "INSERT INTO steps (run_id, token_id, state, at_ms, attempts) VALUES (?, ?, ?, 0, 0)",
                [(run_id, f"t{n}", each) for each in ("pending", "sent", state) for n in range(tokens)],
            )


def test_a_run_of_a_fleet_is_offered_as_a_whole(tmp_path):
    journal_of(tmp_path, [("20260301-a.1", "revoked"), ("20260301-a.2", "failed"), ("20260302-b", "sent")])
    assert recorded.unfinished() == ["20260302-b", "20260301-a"]
    assert recorded.run_ids() == ["20260302-b", "20260301-a"]


@pytest.mark.parametrize("command", ["revoke ", "update ", "get ", "permissions add group:x --allow-protected "])
def test_a_token_that_tokenkit_revoked_is_offered_only_where_its_use_is_looked_for(command, tmp_path):
    gone, kept = "aa" * 32, "ab" * 32
    journal_of(tmp_path, [("one", "revoked"), ("two", "failed")])
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "journal.sqlite")) as file, file:
        file.execute("UPDATE steps SET token_id = iif(run_id = 'one', ?, ?)", [gone, kept])
    assert {gone, kept} & {*completion.complete(command.split(), "", SHELL, Remembering())} == {kept}
    assert {gone, kept} <= {*completion.complete(["usage"], "", SHELL, Remembering())}


def test_of_a_journal_that_takes_long_the_newest_runs_are_offered(tmp_path, monkeypatch):
    journal_of(tmp_path, [("old", "failed"), ("done", "revoked"), ("new", "failed")], tokens=2_000)
    assert recorded.unfinished() == ["new", "old"]
    monkeypatch.setattr(recorded, "_LONGEST_SECONDS", 0)
    assert recorded.unfinished() == ["new"]
    assert recorded.revoked() == set()


OFFERS = {
    "tokenkit rev": {"revoke"},
    "tokenkit permissions s": {"set", "show"},
    "tokenkit list --ow": {"--owner"},
    "tokenkit list --idle 60d --status ex": {"expired"},
    "tokenkit list --profile p": {"prod"},
    "tokenkit list --status=ex": {"expired"},
    "tokenkit connect --profile=x pr": {"prod"},
    "tokenkit list --sort=-idle": {"-idle_days"},
    "tokenkit list --sort=idle": {"idle_days"},
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_options_and_values(tab, shell):
    found = tab(shell, OFFERS)
    wholes = [re.search(r"--\w+=(?=[\w-]*$)", line) if shell != "bash" else None for line in OFFERS]
    # bash completes what follows the equals sign
    assert found == [
        {f"{whole[0] if whole else ''}{offer}" for offer in offers}
        for whole, offers in zip(wholes, OFFERS.values(), strict=True)
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_with_its_environment_variable(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"_TOKENKIT_COMPLETE={shell}_complete" in printed.out


def test_an_unknown_shell_is_a_usage_error(capsys):
    assert cli.main(["completion", "fsh"]) == 2
    assert "Did you mean fish?" in capsys.readouterr().err


def test_the_help_says_where_owners_and_ids_come_from(capsys):
    assert cli.main(["completion", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "owners and token IDs are those of the newest snapshot (`snapshot`)." in printed
