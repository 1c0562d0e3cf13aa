"""What an episode leaves for the next, and what a browser can reach: nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from browsergym_env import BrowserGymAction
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from openenv_gym.testing import process_tree

pytestmark = pytest.mark.timeout(300)

_STORE = """async () => {
  document.cookie = "seen=1; max-age=9999";
  localStorage.setItem("seen", "1");
  sessionStorage.setItem("seen", "1");
  window.name = "seen";
  await new Promise((resolve, reject) => {
    const asked = indexedDB.open("seen", 1);
    asked.onsuccess = () => { asked.result.close(); resolve(); };
    asked.onerror = reject;
  });
  await (await caches.open("seen")).put("/seen", new Response("1"));
}"""
_STORED = """async () => ({
  cookie: document.cookie,
  local: localStorage.length,
  session: sessionStorage.length,
  name: window.name,
  databases: (await indexedDB.databases()).length,
  caches: (await caches.keys()).length,
})"""


class _Listener(ThreadingHTTPServer):
    """A server of this machine that no page may reach; counts who does."""

    def __init__(self) -> None:
        self.requests = 0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture
def listener() -> Iterator[_Listener]:
    server = _Listener()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_stored_survives_an_episode(environment: BrowserGymEnvironment) -> None:
    environment.reset(seed=1, task_name="click-test")
    empty = environment._env.page.evaluate(_STORED)
    environment._env.page.evaluate(_STORE)
    assert environment._env.page.evaluate(_STORED) == {
        "cookie": "seen=1", "local": 1, "session": 1, "name": "seen", "databases": 1, "caches": 1,
    }  # fmt: skip
    environment.reset(seed=1, task_name="click-test")
    assert environment._env.page.evaluate(_STORED) == empty
    assert not any(empty.values())
    assert len(environment._env.context.pages) == 1
    assert len(environment._env.context.browser.contexts) == 1


def test_the_clipboard_does_not_survive_an_episode(environment: BrowserGymEnvironment) -> None:
    def step(text: str) -> str:
        seen = environment.step(BrowserGymAction(action_str=text))
        assert not seen.error
        return str(environment._env.page.evaluate("document.querySelector('#tt').value"))

    environment.reset(seed=1, task_name="enter-text")
    box = environment._env.page.locator("#tt").get_attribute("bid")
    copied = f"fill('{box}', 'secret') press('{box}', 'Control+a') press('{box}', 'Control+c')"
    assert step(f"{copied} press('{box}', 'End') press('{box}', 'Control+v')") == "secretsecret"
    environment.reset(seed=1, task_name="enter-text")
    assert step(f"focus('{box}') press('{box}', 'Control+v')") == ""


def test_pages_reach_their_own_site_alone(environment: BrowserGymEnvironment, listener: _Listener) -> None:
    environment.reset(seed=1, task_name="click-test")
    port = listener.server_address[1]
    page = environment._env.page
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "miniwob.localhost"):
        url = f"http://{host}:{port}/"
        assert page.evaluate("url => fetch(url).then(() => 'reached', () => 'refused')", url) == "refused", (
            url
        )
    opened = """url => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    })"""
    assert page.evaluate(opened, f"ws://127.0.0.1:{port}/") == "refused"
    assert page.evaluate("fetch('../core/core.js').then(reply => reply.status)") == 200
    assert page.evaluate("fetch('/').then(reply => reply.status)") == 404  # no listing
    assert listener.requests == 0


def test_pages_cannot_read_files(environment: BrowserGymEnvironment) -> None:
    environment.reset(seed=1, task_name="click-test")
    page = environment._env.page
    read = "url => fetch(url).then(reply => reply.text(), () => 'refused')"
    assert page.evaluate(read, "file:///etc/passwd") == "refused"
    escaped = page.evaluate("fetch('/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd').then(reply => reply.status)")
    assert escaped == 404


def test_even_its_own_browser_shows_no_files_of_the_host(
    environment: BrowserGymEnvironment, tmp_path: Path
) -> None:
    assert environment._browser is not None
    if environment._browser.confinement.name != "bubblewrap":
        pytest.fail("bubblewrap does not work here: apt-get install bubblewrap")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    secret.chmod(0o644)
    context = environment._browser.new_context()
    try:
        page = context.new_page()
        with pytest.raises(Exception, match="ERR_FILE_NOT_FOUND"):
            page.goto(secret.as_uri())
    finally:
        context.close()


def test_the_browser_is_confined(environment: BrowserGymEnvironment) -> None:
    assert environment._browser is not None
    assert environment._browser.confinement.has_sandbox
    browsers = [
        pid
        for pid in process_tree.descendants(os.getpid())
        if b"--remote-debugging-pipe" in (words := Path(f"/proc/{pid}/cmdline").read_bytes())
        and b"chrom" in words.split(b"\0")[0]
    ]
    assert browsers
    for pid in browsers:
        assert b"--no-sandbox" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        status = Path(f"/proc/{pid}/status").read_text()
        uids = status.split("Uid:")[1].split("\n")[0].split()
        assert uids.count("0") == 0
        assert Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
