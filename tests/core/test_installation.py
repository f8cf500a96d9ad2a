"""The package index has another project named tokenkit. A user who has both is told so, once."""

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.core import installation

WARNING = "another distribution named tokenkit is installed"


@pytest.fixture(autouse=True)
def _new_process():
    installation.warn_of_other_distribution.cache_clear()
    yield
    installation.warn_of_other_distribution.cache_clear()


@pytest.fixture
def other(monkeypatch, tmp_path):
    """Another project's distribution, as pip installs it."""
    metadata = tmp_path / "site-packages" / "tokenkit-1.2.3.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: tokenkit\nVersion: 1.2.3\n")
    monkeypatch.syspath_prepend(metadata.parent.parent)


def load_the_magic(shell):
    shell.run_line_magic("reload_ext", "tokenkit")


FRONT_ENDS = {
    "the command": lambda _: cli.main(["--version"]),
    "connect": lambda _: tokenkit.connect(host="https://a", token="dapi1"),
    "the magic": load_the_magic,
}


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_each_front_end_warns_once_of_the_other_distribution(front_end, ipython, other, capsys):  # noqa: ARG001
    installation.warn_of_other_distribution.cache_clear()
    front_end(ipython)
    front_end(ipython)
    assert capsys.readouterr().err.count(WARNING) == 1


@pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_there_is_no_warning_if_only_this_distribution_is_installed(front_end, ipython, capsys):
    front_end(ipython)
    assert WARNING not in capsys.readouterr().err
