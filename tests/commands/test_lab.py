"""``tokenkit lab``: JupyterLab starts with the guides and a sandbox, and stops completely."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.parts import missing
from tokenkit import errors
from tokenkit.commands import lab

GUIDES = sorted(path.name for path in (Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
INDEX = "00_index.ipynb"


@pytest.fixture
def running(tmp_path):
    if find_spec("jupyterlab") is None:
        missing("JupyterLab is an extra: pip install jupyterlab")
    environment = os.environ | {"TOKENKIT_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tokenkit", "lab", "--no-browser"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_the_lab_prints_its_url_serves_the_guides_and_stops_on_sigterm(running):
    line = running.stdout.readline()
    url = urlsplit(line.rpartition(" ")[2].strip())
    token = parse_qs(url.query)["token"][0]

    def ask(path):
        request = urllib.request.Request(f"http://{url.netloc}{path}", headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return json.load(response)

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


def test_the_index_is_always_overwritten(tmp_path):
    index = lab.copy_guides(tmp_path / "guides") / INDEX
    index.write_text("of an older tokenkit")
    assert "(01_quickstart.ipynb)" in (lab.copy_guides(index.parent) / INDEX).read_text()


def test_without_jupyterlab_an_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install jupyterlab"):
        lab.serve(print, open_browser=False)


def test_a_port_that_is_in_use_is_an_error_that_names_the_option():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(errors.ConfigurationError, match=f"Port {port} is in use.* --port"):
            lab.serve(print, open_browser=False, port=port)
    with pytest.raises(errors.ConfigurationError, match="Port 99999"):
        lab.serve(print, open_browser=False, port=99_999)
