"""An interrupt anywhere, under ``%xmode Verbose``: the traceback shows variables and attributes, and no credential."""

import os
import sys
from pathlib import Path

import pytest
from IPython.core.ultratb import AutoFormattedTB

import tokenkit

PACKAGE = str(Path(tokenkit.__file__).parent)
SANDBOX = str(Path(PACKAGE, "sandbox"))
POINTS = 12
SECRET = "correct-horse-battery-staple"


class Interrupt:
    """Ctrl-C at the n-th line that a call runs of the package."""

    def __init__(self, at):
        self._left, self.lines, self.struck = at, 0, False

    def __call__(self, frame, _event, _argument):
        file = frame.f_code.co_filename
        return self._line if file.startswith(PACKAGE) and not file.startswith(SANDBOX) else None

    def _line(self, _frame, event, _argument):
        self._left -= event == "line"
        self.lines += event == "line"
        if self._left < 0 and not self.struck:
            self.struck = True
            sys.settrace(None)
            raise KeyboardInterrupt
        return self._line


def run(call, at):
    """Run a call that is interrupted at a line, and return the interrupt and what came of the call."""
    interrupt, failure = Interrupt(at), None
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        call()
    except BaseException as raised:  # noqa: BLE001 - whatever it became
        failure = raised
    finally:
        sys.settrace(before)
    return interrupt, failure


def shown(call):
    """Return everything that a notebook shows of the package's frames when the call is interrupted at points of it."""
    call()  # the first call imports modules, whose lines would count
    whole, failure = run(call, sys.maxsize)
    assert failure is None
    texts, struck = [], 0
    for point in range(POINTS):
        interrupt, failure = run(call, whole.lines * point // POINTS)
        struck += interrupt.struck
        traceback = failure and failure.__traceback__
        while traceback and not traceback.tb_frame.f_code.co_filename.startswith(PACKAGE):
            traceback = traceback.tb_next  # the test's own frames, in which the credential is
        if interrupt.struck and traceback:
            texts.append(AutoFormattedTB(mode="Verbose", tb_offset=0).text(type(failure), failure, traceback))
    assert struck > POINTS // 2
    return "\n".join(texts)


@pytest.fixture
def environment(company, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)


CONNECTIONS = {
    "arguments": lambda company: tokenkit.connect(host=company.host, token=company.token),
    "environment": lambda _: tokenkit.connect(),
    "host": lambda company: tokenkit.connect(company.host),
    "fleet": lambda company: tokenkit.fleet([company.host], progress=False).tokens(),
    "first call": lambda company: tokenkit.connect(host=company.host, token=company.token).me(),
    "a run": lambda _: (ws := tokenkit.connect()).revoke(ws.tokens().head(1)),
}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("case", CONNECTIONS)
def test_signing_in_shows_no_credential(company, case):
    text = shown(lambda: CONNECTIONS[case](company))
    assert company.token not in text


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("where", ["--variable new", "--env NEW", "--secret tokenkit/x --overwrite"])
def test_creating_a_token_shows_no_value(company, ipython, monkeypatch, where):
    monkeypatch.setenv("NEW", "")
    tokens = company.workspaces[0].state.tokens
    mint, values = tokens.mint, []

    def minted(*arguments, **settings):
        made = mint(*arguments, **settings)
        values.append(made.value)
        return made

    monkeypatch.setattr(tokens, "mint", minted)
    monkeypatch.setattr("builtins.input", lambda _: "")
    magic = ipython.find_line_magic("tokens")
    text = shown(lambda: magic(f"create-obo terraform --lifetime 1d {where}"))
    assert values
    assert not [value for value in [*values, company.token] if value in text]


def test_a_new_token_is_not_shown_by_a_line_that_names_its_value(ws):
    made = ws.token_management.create_obo_token(ws.service_principals()["application_id"].iloc[0], lifetime_seconds=60)
    try:
        raise KeyboardInterrupt(len(made.token_value))  # noqa: TRY301 - as a line of ours is interrupted
    except KeyboardInterrupt as failure:
        text = AutoFormattedTB(mode="Verbose", tb_offset=0).text(type(failure), failure, failure.__traceback__)
    assert "made" in text
    assert made.token_value not in text


def test_writing_a_secret_shows_no_value(ws):
    assert SECRET not in shown(lambda: ws.put_secret("tokenkit", "x", SECRET))


def test_the_attack_finds_what_is_shown(monkeypatch):
    """So that the tests above can fail."""
    monkeypatch.setenv("NAME", SECRET)
    code = compile("def call(value):\n    name = value\n    return name\n", str(Path(PACKAGE, "connecting.py")), "exec")
    names = {}
    exec(code, names)  # noqa: S102 - a function that stands in the package
    assert SECRET in shown(lambda: [names["call"](os.environ["NAME"]) for _ in range(2)])
