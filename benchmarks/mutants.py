"""Change the code in many small ways, one at a time, and count the changes that no test notices.

    python -m benchmarks.mutants                       # 400 mutants of a random seed, which is printed
    python -m benchmarks.mutants --seed 7 --count 100
    python -m benchmarks.mutants --seed 7 --only 3 41  # two of them again
    python -m benchmarks.mutants --count 60 --within review/leaks/

A mutant is one change (``mutations.py``), drawn from all changes of ``actions/``, ``rest/``, ``review/`` and
``core/``. It is killed if one of the tests that execute the changed lines fails. The tests run once with coverage
first, which tells those lines; a line that only an import executes counts for all tests of its module, and for the
test files that import it. The module's own test file runs first, then those files, then the fastest tests, up to a
minute of them (``--budget``). The tests of its own file that do not execute the lines run last: they may start a
process that does, or read a table. Survivors then run the next two minutes of these tests (``--more``). A test that
passes in ten seconds and still runs after sixty has hung, and so has a run that does not end in five minutes: the
mutant is counted as killed, in a column of its own. At the end, the tests that killed run without a mutant. If one
fails, it proves nothing, and its mutants count as survivors.

Mutants are written into copies of the repository in the temporary directory, never into the working tree. Each runs in
a process of its own, forked from one that has imported pandas and pytest but not tokenkit.

Three packages were weighed, and none fits. mutmut changes only functions without decorators, so neither our tables nor
the rules of the audit. cosmic-ray runs one command for every mutant, changes files in place, and draws no sample.
mutatest draws by a seed, but requires coverage 5.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import coverage
import pytest

from benchmarks import mutations

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("actions", "rest", "review", "core")
_TESTS = (
    *(f"tests/{folder}/" for folder in (*_PACKAGES, "output", "workspaces", "commands", "fleets", "widgets")),
    *(f"tests/test_{name}.py" for name in ("cli", "docstrings", "errors", "frames", "hostile_text", "magic")),
    *(f"tests/test_{name}.py" for name in ("pickling", "round_trips", "samples", "secrets_in_names", "security")),
)
_LEFT_OUT = ("interruptions", "survival", "fleet_survival", "ledger_survival")  # they trace, or kill, many processes
_PREPARED = (
    "IPython",
    "click",
    "hypothesis",
    "jinja2",
    "pandas",
    "pyarrow.compute",
    "requests",
    "rich.table",
    "tqdm.auto",
)
_SLOW_SECONDS = 10
_HUNG_SECONDS = 60
_LIMIT_SECONDS = 300
_LIMIT_BYTES = 8 << 30
_NOT_RUN = 99
_MAP = "map.json"

KILLED, HUNG, SURVIVED = "killed", "hung", "survived"


@dataclass
class Mutant:
    """One change of one file, and what became of it."""

    number: int
    path: str
    mutation: mutations.Mutation
    verdict: str = SURVIVED
    test: str = ""

    @property
    def package(self) -> str:
        """The package that was changed."""
        return self.path.split("/")[1]

    def __str__(self) -> str:
        lines = f"{self.path}:{self.mutation.first_line}"
        return (
            f"{self.number:4} {self.verdict:8} {lines}  {self.mutation.before}  =>  {self.mutation.after}  {self.test}"
        )


class Tests:
    """The tests, how long each takes, and the lines that each executes."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._data = coverage.CoverageData(str(copy / ".coverage"))
        self._data.read()
        seconds: dict[str, float] = json.loads((copy / _MAP).read_text())["seconds"]
        # The report writes a character that XML cannot contain as #x1B, so that such a name is not the test's.
        self.seconds = {test: each for test, each in seconds.items() if each <= _SLOW_SECONDS and "#x" not in test}

    def of(self, mutant: Mutant, *, from_seconds: float, to_seconds: float) -> list[str]:
        """Return the tests to run for a mutant, in order: a part of all, which take that many seconds together."""
        lines = {
            line: {context.rpartition("|")[0] for context in contexts} & self.seconds.keys()
            for line, contexts in self._data.contexts_by_lineno(str(self._copy / mutant.path)).items()
        }
        first, last = mutant.mutation.first_line, mutant.mutation.last_line
        tests = set().union(*(lines.get(line, ()) for line in range(first, last + 1)))
        own = f"tests/{'/'.join(Path(mutant.path).parts[1:-1])}/test_{Path(mutant.path).name}"
        naming = set[str]()
        if not tests:  # only an import executes it
            naming = self._files_that_import(mutant.path)
            tests = set().union(*lines.values(), (test for test in self.seconds if _file_of(test) in {own, *naming}))
        tests = tests or {test for test in self.seconds if test.startswith(f"tests/{mutant.package}/")}
        # The map does not know what the processes execute that a test starts, nor which tables it only reads.
        others = {test for test in self.seconds if _file_of(test) == own} - tests
        ranked = sorted(
            tests | others,
            key=lambda test: (
                _file_of(test) != own,
                test in others,
                _file_of(test) not in naming,
                self.seconds[test],
                test,
            ),
        )
        ends = zip(ranked, itertools.accumulate(self.seconds[test] for test in ranked), strict=True)
        chosen = [test for test, end in ends if from_seconds < end <= to_seconds]
        # A file at a time.
        return sorted(chosen, key=lambda test: (test in others, _file_of(test) != own, _file_of(test)))

    def _files_that_import(self, path: str) -> set[str]:
        package, _, module = ".".join(Path(path).with_suffix("").parts).rpartition(".")
        imports = re.compile(
            rf"^(?:import|from) {re.escape(package)}(?:\.{module}\b| import (?:[^(\n]*|\([^)]*)\b{module}\b)",
            re.MULTILINE,
        )
        files = {_file_of(test) for test in self.seconds}
        return {file for file in files if imports.search((self._copy / file).read_text(encoding="utf-8"))}


class _Verdict:
    """A plugin of pytest that keeps the failures."""

    def __init__(self) -> None:
        self.failures: dict[str, bool] = {}  # by test, whether it hung

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failures.setdefault(report.nodeid, "from pytest-timeout" in report.longreprtext)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failures.setdefault(report.nodeid, False)


class Run:
    """One run of pytest over a copy, in a forked process."""

    def __init__(self, copy: Path, tests: Sequence[str], mutant: Mutant | None = None) -> None:
        self.mutant = mutant
        self.copy = copy
        self.failures: dict[str, bool] = {}
        self._deadline = time.monotonic() + _LIMIT_SECONDS
        self._result = copy / "result.json"
        self._result.unlink(missing_ok=True)
        if mutant:
            self._changed = copy / mutant.path
            self._original, self._times = self._changed.read_bytes(), self._changed.stat()
            self._changed.write_text(mutant.mutation.source, encoding="utf-8")
        self._process = os.fork()
        if self._process == 0:
            try:
                _child(copy, tests, self._result, stop=mutant is not None)
            finally:
                os._exit(_NOT_RUN)

    def is_over(self) -> bool:
        """Tell whether the run has ended; end it if it takes too long, which no timeout within it could."""
        ended, status = os.waitpid(self._process, os.WNOHANG)
        too_long = time.monotonic() > self._deadline
        if not ended and not too_long:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)  # also what tests have started and left
        if not ended:
            os.waitpid(self._process, 0)
            self.failures = {f"no end in {_LIMIT_SECONDS} seconds": True}
        elif self._result.exists():
            self.failures = json.loads(self._result.read_text())
        else:  # a signal; or what the tests share cannot be imported
            code = os.waitstatus_to_exitcode(status)
            assert code != _NOT_RUN, (self.copy / "output.txt").read_text(errors="replace")
            self.failures = {f"pytest ended with {code}": False}
        if self.mutant:
            self._changed.write_bytes(self._original)
            os.utime(self._changed, ns=(self._times.st_atime_ns, self._times.st_mtime_ns))  # its bytecode is valid
            for test, hung in self.failures.items():
                self.mutant.verdict, self.mutant.test = HUNG if hung else KILLED, test
        return True


def _child(copy: Path, tests: Sequence[str], result: Path, *, stop: bool) -> None:
    """Run tests in this process, write down the failures, and end it."""
    os.setsid()
    os.chdir(copy)
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    with (copy / "output.txt").open("wb") as output:
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    os.environ.update(_environment(copy))
    verdict = _Verdict()
    options = [*_options(copy), "-W", "ignore::pytest.PytestAssertRewriteWarning", *(["-x"] if stop else [])]
    code = pytest.main([*options, *tests], plugins=[verdict])
    if verdict.failures or code == pytest.ExitCode.OK:
        result.write_text(json.dumps(verdict.failures))
    os._exit(int(code))


def _environment(copy: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(copy),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COVERAGE_FILE": str(copy / ".coverage"),
        "COVERAGE_CORE": "ctrace",
    }


def _options(copy: Path) -> list[str]:
    plugins = ["-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
    limits = [f"--timeout={_HUNG_SECONDS}", "--hypothesis-seed=0", f"--basetemp={copy / 'tmp'}"]
    return ["-q", "-o", "addopts=", *plugins, *limits]


def prepare(workers: int) -> list[Path]:
    """Return a copy of the repository for each worker; the first has the map of tests to lines.

    Copies of the same ``tokenkit/`` are used again: only the test files that have changed run for the map.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    files = {name: (_ROOT / name).read_bytes() for name in sorted({*listed}) if (_ROOT / name).is_file()}
    digest = _digest(*(name.encode() + content for name, content in files.items() if name.startswith("tokenkit/")))
    copies = [Path(tempfile.gettempdir()) / f"mutants-{digest[:12]}" / str(at) for at in range(workers)]
    for copy in copies:
        for name, content in files.items():
            path = copy / name
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(_ROOT / name, path)
    _map(copies[0], {name: _digest(content) for name, content in files.items() if _is_test(name)}, workers)
    return copies


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _digest(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def _is_test(name: str) -> bool:
    path = Path(name)
    left_out = path.stem.removeprefix("test_") in _LEFT_OUT
    return name.startswith(_TESTS) and path.name.startswith("test_") and path.suffix == ".py" and not left_out


def _map(copy: Path, files: dict[str, str], workers: int) -> None:
    """Run the test files that have changed, and note the lines that each test executes and how long it takes."""
    known = json.loads((copy / _MAP).read_text()) if (copy / _MAP).exists() else {"files": {}, "seconds": {}}
    changed = [name for name, digest in files.items() if known["files"].get(name) != digest]
    if not changed:
        return
    print(f"{len(changed)} test files run with coverage in {copy} …", flush=True)
    options = [
        "-p",
        "pytest_cov",
        "--cov",
        "--cov-append",
        "--cov-context=test",
        "--cov-report=",
        "--junitxml=junit.xml",
    ]
    parallel = ["-p", "xdist", "-n", str(workers), "--dist", "loadfile"] if workers > 1 else []
    command = [sys.executable, "-m", "pytest", *_options(copy), *options, *parallel, *changed]
    environment = os.environ | _environment(copy)
    del environment["PYTHONDONTWRITEBYTECODE"]
    code = subprocess.run(command, cwd=copy, env=environment, check=False).returncode
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise SystemExit(f"pytest ended with {code}, so there is no map. Run the command again.")
    seconds = {test: each for test, each in known["seconds"].items() if test.partition("::")[0] not in changed}
    for case in ET.parse(copy / "junit.xml").iter("testcase"):  # noqa: S314 - pytest wrote it
        if not len(case):  # else it failed, or was skipped
            test = f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
            seconds[test] = float(case.attrib["time"])
    (copy / _MAP).write_text(json.dumps({"files": files, "seconds": seconds}))


def draw(copy: Path, seed: int, count: int, within: str = "") -> list[Mutant]:
    """Draw mutants from all changes of the four packages, or of the modules whose path begins with ``within``."""
    paths = [path for name in _PACKAGES for path in sorted((copy / "tokenkit" / name).rglob("*.py"))]
    paths = [path for path in paths if str(path.relative_to(copy / "tokenkit")).startswith(within)]
    pool = [(path, number) for path in paths for number in range(mutations.count(path.read_text(encoding="utf-8")))]
    drawn = random.Random(seed).sample(pool, min(count, len(pool)))  # noqa: S311 - no secret
    print(f"seed {seed}: {len(drawn)} of {len(pool):,} mutants")
    return [
        Mutant(at, str(path.relative_to(copy)), mutations.mutate(path.read_text(encoding="utf-8"), number))
        for at, (path, number) in enumerate(drawn, start=1)
    ]


def kill(
    mutants: Sequence[Mutant], tests: Tests, copies: Sequence[Path], *, from_seconds: float, to_seconds: float
) -> None:
    """Run the tests of each mutant, as many at a time as there are copies, and print what becomes of it."""
    waiting, free, running = list(reversed(mutants)), list(copies), list[Run]()
    while waiting or running:
        while waiting and free:
            mutant = waiting.pop()
            chosen = tests.of(mutant, from_seconds=from_seconds, to_seconds=to_seconds)
            if chosen:
                running.append(Run(free.pop(), chosen, mutant))
            else:
                print(mutant, "no other test" if from_seconds else "no test", flush=True)
        time.sleep(0.02)
        for run in [run for run in running if run.is_over()]:
            running.remove(run)
            free.append(run.copy)
            print(run.mutant, flush=True)


def control(mutants: Sequence[Mutant], copy: Path) -> list[str]:
    """Run the tests that killed, without a mutant. Return those that fail; their mutants survive."""
    killers = sorted({mutant.test for mutant in mutants if "::" in mutant.test})
    run = Run(copy, killers)
    while killers and not run.is_over():
        time.sleep(0.1)
    for mutant in mutants:
        if mutant.test in run.failures:
            mutant.verdict = SURVIVED
    return list(run.failures)


def table(mutants: Sequence[Mutant]) -> str:
    """Return the verdicts by package."""
    lines = ["| package | drawn | killed | hung | survived | died |", "|---|---|---|---|---|---|"]
    for name in (*_PACKAGES, "all"):
        verdicts = Counter(mutant.verdict for mutant in mutants if name in {mutant.package, "all"})
        drawn = verdicts.total()
        share = f"{(drawn - verdicts[SURVIVED]) / drawn:.1%}" if drawn else ""
        lines.append(f"| {name} | {drawn} | {verdicts[KILLED]} | {verdicts[HUNG]} | {verdicts[SURVIVED]} | {share} |")
    return "\n".join(lines)


def main() -> None:
    """Draw mutants, run their tests, and print the verdicts and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 - no secret
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="mutants of the draw; all by default")
    parser.add_argument("--within", default="", metavar="PATH", help="only of these modules: review/leaks/")
    parser.add_argument("--budget", type=float, default=60, metavar="SECONDS", help="of tests for each mutant (60)")
    parser.add_argument("--more", type=float, default=120, metavar="SECONDS", help="of tests for each survivor (120)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for its jobs, and tests send
    copies = prepare(options.workers)
    for name in _PREPARED:
        importlib.import_module(name)
    mutants = draw(copies[0], options.seed, options.count, options.within)
    mutants = [mutant for mutant in mutants if not options.only or mutant.number in options.only]
    tests = Tests(copies[0])
    kill(mutants, tests, copies, from_seconds=0, to_seconds=options.budget)
    alive = [mutant for mutant in mutants if mutant.verdict == SURVIVED]
    print(f"\n{len(alive)} survivors and {options.more:.0f} more seconds of tests:", flush=True)
    kill(alive, tests, copies, from_seconds=options.budget, to_seconds=options.budget + options.more)
    unreliable = control(mutants, copies[0])
    print(f"\n{table(mutants)}\n\nSurvivors:")
    for mutant in mutants:
        if mutant.verdict == SURVIVED:
            print(mutant)
    if unreliable:
        print("\nTests that fail without a mutant, too:", *unreliable, sep="\n")


if __name__ == "__main__":
    main()
