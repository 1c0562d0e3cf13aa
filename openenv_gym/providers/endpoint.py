"""What a provider is asked for, and what it answers: a server's description, and where it listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TOKEN_VARIABLE = "OPENENV_GYM_TOKEN"  # in a server's environment: the bearer token that it asks for


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens.

    Attributes:
        base_url: Its URL without a path, for example ``http://127.0.0.1:8000``.
        token: The bearer token it asks for; ``None`` when it asks for none.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What to start. Equal specs are equal keys, so that one server can serve all who ask for the same.

    Attributes:
        app: The ASGI app as an import string, for example ``"echo_env.server.app:app"``, or another library's
            environment as ``engine:ID``, for example ``"gymnasium:CartPole-v1"``.
        image: The container image that holds the app.
        environ: Environment variables for the server, beside those its provider passes on.
        name: What messages and labels call it; by default what its image is called, else its app.

    >>> ServerSpec(image="registry.example.org/git-env:v2").name, ServerSpec("echo_env.server.app:app").name
    ('git-env', 'echo-env')
    >>> ServerSpec("gymnasium:ALE/Pong-v5?frameskip=4").name, ServerSpec().name
    ('Pong-v5', 'server')
    """

    app: str | None = None
    image: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold passwords
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "environ", dict(self.environ))  # the caller's own dict may change later
        if not self.name:
            object.__setattr__(self, "name", _name_of(self.app, self.image))

    def __hash__(self) -> int:
        return hash((self.app, self.image, self.name, frozenset(self.environ.items())))


def _name_of(app: str | None, image: str | None) -> str:
    if image is not None:
        return image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    module, _, attribute = (app or "server").partition(":")
    if "." in module or not attribute:
        return module.partition(".")[0].replace("_", "-")
    return attribute.partition("?")[0].rpartition("/")[2]
