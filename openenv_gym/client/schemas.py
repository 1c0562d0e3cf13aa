"""What a server says about itself over HTTP: its schemas, its metadata, its health."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import AuthenticationError, ProtocolError, ServerUnreachableError, UsageError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.address import Address, parse_address

if TYPE_CHECKING:
    import ssl

    import httpx

_MAX_BODY = 32 * 2**20  # bytes; a schema is thousands, a readme inside the metadata may be more
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5)  # seconds between attempts whose connection was cut


def fetch_schema(endpoint: Endpoint, timeout: float = 10.0) -> dict[str, Any]:
    """Fetch ``/schema``: the JSON Schemas of action, observation and state.

    Args:
        endpoint: The server.
        timeout: Seconds it may take.

    Raises:
        ServerUnreachableError: Nobody answered in time.
        AuthenticationError: The server refused the token.
        ProtocolError: It answered, but not with what OpenEnv serves there.
    """
    return _fetch(endpoint, "/schema", timeout)


def fetch_metadata(endpoint: Endpoint, timeout: float = 10.0) -> dict[str, Any]:
    """Fetch ``/metadata``: name, description, version; raises what `fetch_schema` raises."""
    return _fetch(endpoint, "/metadata", timeout)


def fetch_health(endpoint: Endpoint, timeout: float = 10.0) -> dict[str, Any]:
    """Fetch ``/health``; raises what `fetch_schema` raises."""
    return _fetch(endpoint, "/health", timeout)


@functools.cache
def _certificates(trust_env: bool) -> ssl.SSLContext:
    """Load the authorities to trust, once: it takes longer than all the rest of a request to loopback."""
    import httpx

    return httpx.create_ssl_context(trust_env=trust_env)


def takes_tool_calls(schema: dict[str, Any]) -> bool:
    """Whether a ``/schema`` says that calls of tools are the environment's actions."""
    try:
        return bool(schema["action"]["properties"]["type"]["const"] == "call_tool")
    except (KeyError, TypeError):
        return False


def fetch_tools(endpoint: Endpoint, timeout: float = 10.0) -> list[dict[str, Any]]:
    """Fetch the tools of an environment by MCP, for servers that do not list them in ``/schema``.

    Returns:
        What ``tools/list`` gives; none where the server cannot say.

    Raises:
        PeerError: As `fetch_schema`.
    """
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    result = _fetch(endpoint, "/mcp", timeout, request).get("result")
    tools = result.get("tools") if isinstance(result, dict) else None
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _fetch(endpoint: Endpoint, path: str, timeout: float, question: Any = None) -> dict[str, Any]:
    """Fetch a JSON object, again if the connection is cut meanwhile: asking changes nothing.

    Args:
        endpoint: The server.
        path: Of the route.
        timeout: Seconds it may take.
        question: What to ``POST`` there; ``None`` gets.
    """
    import httpx  # at first use: it takes longer to import than gymnasium

    address = parse_address(endpoint.base_url)
    trusts_environ = not address.is_loopback
    headers = {"Authorization": f"Bearer {endpoint.token}"} if endpoint.token is not None else {}
    give_up_at = time.monotonic() + timeout
    pauses = iter(_PAUSES)
    try:
        with httpx.Client(
            timeout=timeout,
            trust_env=trusts_environ,
            verify=_certificates(trusts_environ),
            follow_redirects=True,
            headers=headers,
        ) as client:
            while True:
                try:
                    status, body = _get(client, address, path, question)
                    break
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                    pause = next(pauses, None)
                    if pause is None or time.monotonic() + pause > give_up_at:
                        raise
                    time.sleep(pause)
    except httpx.TimeoutException:
        raise ServerUnreachableError(
            f"{address.shown} did not answer {path} within {timeout:g} s: check that the server runs"
        ) from None
    except httpx.TransportError as error:
        raise ServerUnreachableError(
            f"cannot fetch {path} from {address.shown} ({error}): check that the server runs and that host, "
            "port and http/https are right"
        ) from None
    except (httpx.InvalidURL, httpx.TooManyRedirects, UnicodeError) as error:
        raise UsageError(f"cannot fetch {path} from {address.shown}: {type(error).__name__}") from None
    return _body(status, body, address.shown, path)


def _get(client: httpx.Client, address: Address, path: str, question: Any) -> tuple[int, bytes]:
    method = "GET" if question is None else "POST"
    with client.stream(method, address.http + path, json=question) as response:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MAX_BODY:
                raise ProtocolError(f"{address.shown}{path} is larger than {_MAX_BODY} bytes")
        return response.status_code, bytes(body)


def _body(status: int, body: bytes, where: str, path: str) -> dict[str, Any]:
    from openenv_gym.wire import json_codec

    if status in (401, 403):
        raise AuthenticationError(
            f"{where} refused {path} (HTTP {status}): pass token= (the server's OPENENV_GYM_TOKEN)"
        )
    if status >= 500:
        raise ServerUnreachableError(f"{where}{path} answered HTTP {status}: check the server's log")
    try:
        value = json_codec.decode(body) if status == 200 else None
    except json_codec.InvalidJSONError:
        value = None
    if not isinstance(value, dict):
        raise ProtocolError(
            f"{where}{path} answered HTTP {status} without a JSON object: check that base_url is an OpenEnv "
            "server, with its path prefix"
        )
    return value
