"""git clone, fetch and push over HTTP: checks a request, then bridges it to `git http-backend`."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from git_env.host.access import Access
from git_env.host.accounts import Identity
from git_env.host.admission import Admission
from git_env.host.cgi import CgiBridge, ClientGoneError
from git_env.host.errors import BadRequestError, ForbiddenError, HostError, TooLargeError, UnauthorizedError
from git_env.host.repositories import Repository, RepositoryStore
from git_env.host.settings import HostSettings

_FETCH, _PUSH = "git-upload-pack", "git-receive-pack"


@dataclass(frozen=True)
class _Exchange:
    """A request that passed every check."""

    repository: Repository
    path_info: str
    query: str
    username: str
    is_push: bool
    body_limit: int


class SmartHttp:
    """An ASGI application for the three requests of git's smart HTTP protocol.

    Routes give it ``owner``, ``repo`` (with or without ``.git``) and ``service`` ("info/refs" or a program's
    name) as path parameters. git's older "dumb" protocol, plain file access, is not served.
    """

    def __init__(self, store: RepositoryStore, access: Access, settings: HostSettings) -> None:
        self._store = store
        self._access = access
        self._settings = settings
        self._admission = Admission(settings.limits.git_processes, settings.limits.queue_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            exchange = self._check(scope)
            async with self._admission.place():
                await self._bridge(exchange).run(scope, receive, send)
        except ClientGoneError:
            return
        except HostError as error:
            await _refusal(error)(scope, receive, send)
            return
        if exchange.is_push and scope["method"] == "POST":
            exchange.repository.touch()

    def _check(self, scope: Scope) -> _Exchange:
        headers = Headers(scope=scope)
        service, query = scope["path_params"]["service"], ""
        if service == "info/refs":
            program = QueryParams(scope["query_string"]).get("service", "")
            query = f"service={program}"
        else:
            program = service
        if program not in (_FETCH, _PUSH):
            raise ForbiddenError("Only git's smart HTTP protocol is served.")
        if scope["method"] == "POST" and headers.get("content-type") != f"application/x-{program}-request":
            raise BadRequestError("Wrong content type for this service.")
        is_push = program == _PUSH
        caller = self._access.caller(headers)
        if is_push:
            self._check_push(caller.signed_in())
        limits = self._settings.limits
        # Beside the pack that git bounds itself, a push holds a list of references.
        body_limit = limits.push_bytes + (1 << 20) if is_push else limits.fetch_request_bytes
        if int(headers.get("content-length", "0")) > body_limit:
            raise TooLargeError("The request is too large.")
        name = scope["path_params"]["repo"].removesuffix(".git")
        repository = caller.readable(self._store, scope["path_params"]["owner"], name)
        return _Exchange(
            repository=repository,
            path_info=f"/{repository.path.parent.name}/{repository.path.name}/{service}",
            query=query,
            username=caller.identity.username if caller.identity else "",
            is_push=is_push,
            body_limit=body_limit,
        )

    def _check_push(self, identity: Identity) -> None:
        identity.require("repository", write=True)
        if not self._settings.allow_push:
            raise ForbiddenError("Pushes are switched off on this host (start it with --allow-push).")

    def _bridge(self, exchange: _Exchange) -> CgiBridge:
        environ = self._store.git.environ() | {
            "GIT_PROJECT_ROOT": str(exchange.repository.path.parent.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": exchange.path_info,
            "QUERY_STRING": exchange.query,
            "REMOTE_USER": exchange.username,
        }
        return CgiBridge(
            ["http-backend"],
            environ,
            body_limit=exchange.body_limit,
            timeout=self._settings.limits.git_seconds,
        )


def _refusal(error: HostError) -> PlainTextResponse:
    """Say no in plain text, which git shows to its user."""
    headers = {"Cache-Control": "no-cache"}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Basic realm="Gitea"'
    return PlainTextResponse(f"{error}\n", status_code=error.status, headers=headers)
