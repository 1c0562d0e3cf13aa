"""``/reset``, ``/step`` and ``/state`` over HTTP, and what a server tells about itself."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from openenv_gym.server import ServerSettings, create_app
from tests.server.sample_environments import Heard, Parrot, Say, Sleeper, Sulking
from tests.server.talk import active, get, http_of, post, talk, wait_until_empty
from tests.servers import LiveServer


@pytest.fixture(scope="module")
def parrot() -> Iterator[LiveServer]:
    settings = ServerSettings(max_body_bytes=10_000)
    server = LiveServer(create_app(Parrot, Say, Heard, max_concurrent_envs=16, settings=settings)).start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def sessions_end_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "parrot" in request.fixturenames:
        server: LiveServer = request.getfixturevalue("parrot")
        server.run(lambda: [server.app.state.sessions.close_soon(one, "test") for one in sessions(server)])
        wait_until_empty(server)


def sessions(server: LiveServer) -> list[Any]:
    return list(server.app.state.sessions._register)


@pytest.fixture
def http(parrot: LiveServer) -> Iterator[httpx.Client]:
    """A client that keeps cookies, as browsers and ``requests.Session`` do."""
    with http_of(parrot) as client:
        yield client


def step(message: str) -> dict[str, Any]:
    return {"json": {"action": {"message": message}}}


def test_an_episode_by_cookie(http):
    reset = http.post("/reset", json={"seed": 1, "episode_id": "e1", "greeting": "hi"})
    assert reset.status_code == 200
    assert reset.json()["observation"]["echo"] == "hi"
    cookie = reset.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    answer = http.post("/step", **step("hello"))
    assert answer.json()["reward"] == 5.0
    assert http.get("/state").json() == {"episode_id": "e1", "step_count": 1}


def test_an_episode_by_header_alone(parrot):
    """As with curl: no cookies are kept between the calls."""
    session_id = post(parrot, "/reset").headers["X-Session-Id"]
    headers = {"X-Session-Id": session_id}
    answer = post(parrot, "/step", headers=headers, **step("hello"))
    assert answer.status_code == 200
    assert answer.headers["X-Session-Id"] == session_id
    assert get(parrot, "/state", headers=headers).json()["step_count"] == 1


def test_a_reset_that_names_its_session_reuses_it(http):
    first = http.post("/reset").headers["X-Session-Id"]
    assert http.post("/reset").headers["X-Session-Id"] == first
    http.cookies.clear()
    assert http.post("/reset", headers={"X-Session-Id": first}).headers["X-Session-Id"] == first
    http.cookies.clear()
    assert http.post("/reset").headers["X-Session-Id"] != first


@pytest.mark.parametrize("path", ["/step", "/state"])
def test_naming_no_session_is_a_conflict_that_says_what_to_do(parrot, path):
    method = "GET" if path == "/state" else "POST"
    with http_of(parrot) as client:
        answer = client.request(method, path, json={"action": {"message": "x"}})
    assert answer.status_code == 409
    assert "POST /reset first" in answer.json()["detail"]


def test_naming_an_unknown_session(parrot):
    headers = {"X-Session-Id": "guessed"}
    for path in ("/reset", "/step"):
        answer = post(parrot, path, headers=headers, **step("x"))
        assert (answer.status_code, answer.json()["code"]) == (404, "SESSION_ERROR")


def test_an_ended_session_is_gone_and_its_cookie_no_obstacle(http):
    session_id = http.post("/reset").headers["X-Session-Id"]
    close = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "openenv/session/close",
        "params": {"session_id": session_id},
    }
    http.post("/mcp", json=close)
    assert http.post("/step", **step("x")).status_code == 410
    again = http.post("/reset")
    assert again.status_code == 200
    assert again.headers["X-Session-Id"] != session_id
    assert http.post("/step", **step("x")).status_code == 200


def test_a_first_reset_that_fails_leaves_no_session_behind(parrot):
    for _ in range(10):
        answer = post(parrot, "/reset", json={"colour": "red"})
        assert answer.status_code == 422
        assert "X-Session-Id" not in answer.headers
    assert active(parrot) == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/reset", b"{"),
        ("/reset", b"[]"),
        ("/reset", b"\xff"),
        ("/reset", b"[" * 9000),
        ("/reset", b'{"colour": "red"}'),
        ("/reset", b'{"seed": "three"}'),
        ("/step", b"{"),
        ("/step", b"{}"),
        ("/step", b'{"action": []}'),
        ("/step", b'{"action": {}}'),
        ("/step", b'{"action": {"message": 5}}'),
        ("/step", b'{"action": {"message": "x", "volume": 11}}'),
        ("/step", b'{"action": {"message": "x"}, "render": true}'),
        ("/step", b'{"action": {"message": "x"}, "timeout_s": 0}'),
    ],
)
def test_what_does_not_fit_is_422_and_the_session_goes_on(http, path, body):
    http.post("/reset")
    answer = http.post(path, content=body)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("INVALID_JSON", "VALIDATION_ERROR")
    assert answer.json()["detail"]
    assert http.post("/reset").status_code == 200
    assert http.post("/step", **step("x")).status_code == 200


def test_a_body_over_the_limit(http):
    http.post("/reset")
    assert http.post("/step", **step("x" * 10_000)).status_code == 413

    def chunks() -> Iterator[bytes]:  # no Content-Length
        for _ in range(20):
            yield b"x" * 1000

    assert http.post("/step", content=chunks()).status_code == 413
    assert http.post("/parrot/tasks", content=chunks()).status_code == 413
    assert http.post("/step", **step("x")).status_code == 200


def test_step_after_the_end_is_a_conflict(http):
    http.post("/reset")
    assert http.post("/step", **step("end")).json()["done"] is True
    answer = http.post("/step", **step("x"))
    assert (answer.status_code, answer.json()["reason"]) == (409, "episode_over")


def test_pages_of_other_sites_are_refused(parrot):
    answer = post(parrot, "/reset", headers={"Origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN_ORIGIN")


def test_allowed_origins_may_read_the_session_id(live_server):
    origin = "https://play.example"
    settings = ServerSettings(allowed_origins=frozenset({origin}))
    server = live_server(create_app(Parrot, Say, Heard, settings=settings))
    answer = post(server, "/reset", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Session-Id"


def test_http_takes_a_quarter_of_the_slots_and_says_when_to_come_again(live_server):
    server = live_server(create_app(Parrot, Say, Heard, max_concurrent_envs=8))
    assert [post(server, "/reset").status_code for _ in range(2)] == [200, 200]
    refused = post(server, "/reset")
    assert (refused.status_code, refused.json()["code"]) == (503, "CAPACITY_REACHED")
    assert int(refused.headers["Retry-After"]) > 0
    with talk(server) as session:
        session.assert_usable()


def test_http_sessions_idle_out(live_server):
    settings = ServerSettings(idle_timeout=0.2)
    server = live_server(create_app(Parrot, Say, Heard, settings=settings))
    with http_of(server) as client:
        client.post("/reset")
        wait_until_empty(server)
        assert client.post("/step", **step("x")).status_code == 410


@pytest.mark.parametrize("where", ["init", "reset", "step", "state"])
def test_an_environment_that_raises(live_server, where):
    class Moody(Sulking):
        SULKS_IN = where

    server = live_server(create_app(Moody, Say, Heard))
    with http_of(server) as client:
        answers = {
            "init": client.post("/reset"),
            "reset": client.post("/reset"),
            "step": client.post("/step", **step("x")),
            "state": client.get("/state"),
        }
        assert answers[where].status_code == 500
        assert "LookupError: sulking in" in answers[where].json()["detail"]
        code = "FACTORY_ERROR" if where == "init" else "EXECUTION_ERROR"
        assert answers[where].json()["code"] == code
        Moody.SULKS_IN = ""
        assert client.post("/reset").status_code == 200
        assert client.post("/step", **step("x")).status_code == 200


def test_a_step_past_its_deadline_ends_the_session(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with http_of(server) as client:
        client.post("/reset")
        late = client.post("/step", json={"action": {"message": "sleep"}, "timeout_s": 0.1})
        assert (late.status_code, late.json()["reason"]) == (504, "deadline")
        assert client.post("/step", **step("x")).status_code == 410
        Sleeper.latest.woken.set()
        assert client.post("/reset").status_code == 200


def test_a_second_call_meanwhile_is_a_conflict(live_server):
    server = live_server(create_app(Sleeper, Say, Heard))
    with http_of(server) as client:
        client.post("/reset")
        results: list[int] = []
        sleeping = threading.Thread(
            target=lambda: results.append(client.post("/step", **step("sleep")).status_code)
        )
        sleeping.start()
        assert Sleeper.latest.asleep.wait(30)
        answer = client.post("/step", **step("x"))
        assert (answer.status_code, answer.json()["reason"]) == (409, "busy")
        Sleeper.latest.woken.set()
        sleeping.join(30)
        assert results == [200]


def test_nan_travels(live_server):
    """NaN is no JSON, but Python's own decoder and ours read it, and null would be another value."""

    class Undecided(Parrot):
        def step(self, action: Say, timeout_s: float | None = None) -> Heard:
            return Heard(reward=float("nan"))

    server = live_server(create_app(Undecided, Say, Heard))
    with http_of(server) as client:
        client.post("/reset")
        assert math.isnan(client.post("/step", **step("x")).json()["reward"])


def test_health_schema_metadata_and_docs(http):
    assert http.get("/health").json() == {"status": "healthy"}
    schema = http.get("/schema").json()
    assert set(schema) == {"action", "observation", "reset_observation", "state"}
    assert schema["action"] == Say.model_json_schema()
    assert schema["observation"] == schema["reset_observation"] == Heard.model_json_schema()
    assert http.get("/metadata").json() == {
        "name": "Parrot",
        "description": "Repeats what it is told",
        "readme_content": None,
        "version": "2.1",
        "author": None,
        "documentation_url": None,
    }
    assert http.get("/docs").status_code == 200
    paths = http.get("/openapi.json").json()["paths"]
    assert {"/reset", "/step", "/state", "/health", "/schema", "/metadata", "/mcp"} <= set(paths)
    body = paths["/step"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["action"]


def test_an_environment_that_is_no_subclass_and_says_nothing_of_itself(live_server):
    class Plain:
        """Nothing but the three methods."""

        state = None

        def reset(self) -> Heard:
            return Heard(echo="plain")

        def step(self, action: Say) -> Heard:
            return Heard(echo=action.message)

    server = live_server(create_app(Plain, Say, Heard))
    metadata = get(server, "/metadata").json()
    assert (metadata["name"], metadata["description"]) == ("Plain", "Nothing but the three methods.")
    with talk(server) as session:
        session.assert_usable()


def test_a_model_without_a_json_schema_is_served_all_the_same(live_server):
    class Opaque(Heard):
        handle: threading.Event | None = None

    server = live_server(create_app(Parrot, Say, Opaque))
    answer = get(server, "/schema")
    assert answer.status_code == 500
    assert "has no JSON Schema" in answer.json()["detail"]
    assert get(server, "/health").status_code == 200


def test_an_unknown_path_is_404(http):
    assert http.get("/nowhere").status_code == 404
