"""Where tokenkit keeps what outlives a process."""

from pathlib import Path

from tokenkit.home import home


def test_tokenkit_home_is_taken_as_it_is_named():
    assert home({"TOKENKIT_HOME": "/somewhere"}) == Path("/somewhere")
    assert home({"TOKENKIT_HOME": "~/x"}) == Path.home() / "x"


def test_without_it_the_platforms_state_folder_is_used():
    assert home({}).name == "tokenkit"
    assert home({}).is_absolute()
