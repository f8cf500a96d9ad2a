"""What tokenkit asks of a folder that lasts: to create, write, read, list and delete files, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tokenkit
from tests.parts import missing

PROGRAM = """
import os, sys, tempfile
import tokenkit
from tokenkit.core import write_once
from tokenkit.output import files

host, token, root = sys.argv[1:]
write_once.ROOTS = (root,)
home = root + "/state"
ws = tokenkit.connect(host=host, token=token, clock="2026-03-01 09:30", home=home)
tokens = ws.tokens()
others = tokens[tokens["owner"] != "admin@example.com"]
ws.snapshot()
ws.snapshot(root + "/one.parquet")
ws.snapshot(root + "/one.parquet")
for name in ("listing.csv", "listing.json", "listing.xlsx", "listing.csv"):
    files.save({"tokens": tokens}, root + "/" + name)
plan = ws.revoke(others.head(30))
plan.apply(progress=False)
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
tokenkit.resume(plan.run_id, workspace=ws, progress=False)
assert len(ws.journal()) == 30
assert len(ws.runs()) == 1
assert len(ws.snapshots()) == 1
assert set(ws.changes()["cause"]) == {"revoked_by_tokenkit"}
ws.audit().report(root + "/report.html")
"""
READING = {
    "read",
    "pread64",
    "lseek",
    "fstat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "getdents64",
    "close",
    "fadvise64",
}
WRITING = {"openat", "write", "fsync", "unlink", "mkdir"}
# What Python asks of every file that it opens, and of every path.
HARMLESS = {"access", "faccessat", "faccessat2", "ioctl", "readlink"}
NEW, OLD = {"O_WRONLY", "O_CREAT", "O_EXCL"}, {"O_RDONLY"}
MEANINGLESS = {"O_CLOEXEC", "O_DIRECTORY", "O_NONBLOCK", "O_NOFOLLOW"}


def test_a_folder_that_lasts_is_asked_for_nothing_that_it_cannot_do(company, tmp_path):
    if shutil.which("strace") is None:
        missing("strace is not installed")
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace processes here")  # as in some containers
    root, trace = tmp_path / "lasting", tmp_path / "trace"
    root.mkdir()
    environment = os.environ | {"DATABRICKS_RUNTIME_VERSION": "17.3", "XDG_STATE_HOME": str(tmp_path / "disk")}
    strace = ["strace", "-ff", "-yy", "-s", "200", "-e", "trace=%file,%desc", "-o", trace]
    done = subprocess.run(
        [*strace, sys.executable, "-c", PROGRAM, company.host, company.token, root],
        env=environment,
        cwd=Path(tokenkit.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for file in tmp_path.glob("trace.*") for line in file.read_text(errors="replace").splitlines()]
    asked = {}
    for line in lines:
        if str(root) not in line:
            continue
        name = line.partition("(")[0]
        asked.setdefault(name, line)
        if name == "openat":
            flags = set(re.search(r"(O_\w+(?:\|O_\w+)*)", line)[1].split("|")) - MEANINGLESS
            assert flags in (NEW, OLD), line
    asked.pop("execve")  # the program's own arguments
    assert asked.keys() >= WRITING, "the program does not do what it is to show"
    assert {name: line for name, line in asked.items() if name not in READING | WRITING | HARMLESS} == {}
    assert not (root / "state" / "journal.sqlite").exists()
