"""``tokenkit lab``: JupyterLab comes up on the guides, with a sandbox behind it, and goes down whole."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.parts import missing
from tokenkit import errors, lab

GUIDES = sorted(path.name for path in (Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
INDEX = "00_index.ipynb"


@pytest.fixture
def running(tmp_path):
    if find_spec("jupyterlab") is None:
        missing("JupyterLab is an extra: pip install 'tokenkit[lab]'")
    environment = os.environ | {"TOKENKIT_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tokenkit", "lab", "--no-browser"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_the_lab_prints_its_address_serves_the_guides_and_stops_when_told(running):
    line = running.stdout.readline()
    url = urlsplit(line.rpartition(" ")[2].strip())
    token = parse_qs(url.query)["token"][0]

    def ask(path):
        request = urllib.request.Request(f"http://{url.netloc}{path}", headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    assert sorted(entry["name"] for entry in ask("/api/contents")["content"]) == GUIDES
    assert url.path == f"/lab/tree/{INDEX}"
    assert ask("/api/kernelspecs")["default"]
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 0
    with pytest.raises(urllib.error.URLError):
        ask("/api/contents")


def test_the_guides_are_copied_and_a_changed_copy_is_kept(tmp_path):
    folder = lab.copy_guides(tmp_path / "guides")
    assert sorted(path.name for path in folder.iterdir()) == GUIDES != []
    (folder / GUIDES[1]).write_text("changed")
    assert (lab.copy_guides(folder) / GUIDES[1]).read_text() == "changed"


def test_the_index_is_always_the_one_of_the_guides_that_are_there(tmp_path):
    index = lab.copy_guides(tmp_path / "guides") / INDEX
    index.write_text("of an older tokenkit")
    assert "(01_quickstart.ipynb)" in (lab.copy_guides(index.parent) / INDEX).read_text()


def test_without_jupyterlab_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install 'tokenkit\[lab\]'"):
        lab.serve(print, open_browser=False)
