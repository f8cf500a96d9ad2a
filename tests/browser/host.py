"""A host of widgets that is not Jupyter: a page that shows a screen in a frame that may run scripts and nothing else.

VS Code and Databricks show widgets like this: no access to the page around, no clipboard, no downloads, no variables of
JupyterLab's themes. The page only carries messages between the frame and a server of this process, where the screen is.
"""

import contextlib
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html><html lang="en"><title>host</title><body style="margin:0">
<iframe title="output" sandbox="allow-scripts" style="border:0;width:100%;height:1400px"></iframe>
<script>
const frame = document.querySelector("iframe");
onmessage = ({data}) => fetch("/event", {method: "POST", body: JSON.stringify(data)});
fetch("/frame").then(answer => answer.text()).then(text => { frame.srcdoc = text; });
(async () => {
  for (;;) for (const message of await (await fetch("/messages")).json()) frame.contentWindow.postMessage(message, "*");
})();
</script>"""
FRAME = """<!doctype html><html lang="en"><title>frame</title><style>%(css)s</style><body><main id="output"></main>
<script type="module">
const state = %(state)s, heard = new Set();
const model = {
  get: name => state[name], off: (_, hear) => heard.delete(hear),
  on: (event, hear) => { if (event === "msg:custom") heard.add(hear); },
  send: content => parent.postMessage(content, "*"),
};
onmessage = ({data}) => heard.forEach(hear => hear(data));
const source = new Blob([%(source)s], {type: "text/javascript"});
const {default: widget} = await import(URL.createObjectURL(source));
widget.render({model, el: document.getElementById("output")});
</script>"""


class Host:
    """A server of a page with a screen.

    Attributes:
        url: The address of the page.
    """

    def __init__(self, screen):
        self._messages = queue.Queue()
        self._lock = threading.Lock()
        self.widget = screen.widget
        self.widget.send = lambda content, **_: self._messages.put(json.loads(json.dumps(content)))
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = host.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the page was closed
                    self.wfile.write(body.encode())

            def do_POST(self):
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with host._lock:
                    host.widget._handle_custom_msg(content, [])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path):
        """Return the type and the text of a page, or the messages since the last request."""
        if path == "/messages":
            return "application/json", json.dumps(self._take())
        if path == "/frame":
            state = self.widget.get_state()
            script = json.dumps(state["_esm"]).replace("</", "<\\/")
            about = json.dumps({"about": state["about"]}).replace("</", "<\\/")
            return "text/html", FRAME % {"css": state["_css"], "source": script, "state": about}
        return "text/html", PAGE

    def _take(self):
        try:
            found = [self._messages.get(timeout=0.5)]
        except queue.Empty:
            return []
        while not self._messages.empty():
            found.append(self._messages.get())
        return found

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, name="host", daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
