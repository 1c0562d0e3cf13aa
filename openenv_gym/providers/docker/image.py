"""What an image says about the server in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PORT_LABEL = "openenv-gym.port"
MANIFEST_LABEL = "openenv-gym.manifest"  # the text of the environment's openenv.yaml
WRITABLE_LABEL = "openenv-gym.writable"  # paths, separated by spaces, that the server has to write to
DEFAULT_PORT = 8000
SERVE = "openenv_gym.server.serve"  # in an image's entry point: its command is the app that it serves

_ROOT = re.compile(r"(|0|root)(:.*)?")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image declares.

    Attributes:
        name: What it was asked for by.
        port: Where its server listens.
        port_source: What says so, for messages.
        runs_as_root: Whether its processes are root's unless told otherwise.
        sets_home: Whether it sets ``HOME``.
        writable: Paths that its server has to write to, beside those declared as volumes.
        app: The app that it serves, where another one can be named in its place; "" elsewhere.
        architecture: What processor it is for, for example ``"amd64"``; "" if unknown.
    """

    name: str
    port: int
    port_source: str
    runs_as_root: bool
    sets_home: bool
    writable: tuple[str, ...]
    app: str
    architecture: str

    @classmethod
    def read(cls, name: str, image: Mapping[str, Any]) -> ImageFacts:
        """Read the engine's answer to ``GET /images/NAME/json``."""
        config: Mapping[str, Any] = image.get("Config") or {}
        labels: Mapping[str, str] = config.get("Labels") or {}
        port, source = _port(labels, config.get("ExposedPorts") or {})
        architecture = image.get("Architecture") or ""
        return cls(
            name=name,
            port=port,
            port_source=source,
            runs_as_root=_ROOT.fullmatch(config.get("User") or "") is not None,
            sets_home=any(variable.startswith("HOME=") for variable in config.get("Env") or ()),
            writable=tuple(labels.get(WRITABLE_LABEL, "").split()),
            app=next(iter(config.get("Cmd") or ()), "") if SERVE in (config.get("Entrypoint") or ()) else "",
            architecture=_ARCHITECTURES.get(architecture, architecture),
        )

    def holds(self, app: str) -> bool:
        """Whether it can serve this instead of its own app: one of the same package, as Wordle's."""
        return app != self.app and app.partition(".")[0] == self.app.partition(".")[0]


def _port(labels: Mapping[str, str], exposed: Mapping[str, Any]) -> tuple[int, str]:
    """The server's port: the image's own word for it, else its manifest's, else the only one it exposes.

    Of several exposed ports it is the convention's, or the lowest.
    """
    named = labels.get(PORT_LABEL, "")
    if _is_port(named):
        return int(named), f"the image's label {PORT_LABEL}"
    manifest = re.search(r"^port:\s*[\"']?(\d+)", labels.get(MANIFEST_LABEL, ""), re.MULTILINE)
    if manifest and _is_port(manifest[1]):
        return int(manifest[1]), "the image's manifest"
    ports = sorted(int(port.partition("/")[0]) for port in exposed if port.endswith("/tcp"))
    if ports:
        return DEFAULT_PORT if DEFAULT_PORT in ports else ports[0], "the image's EXPOSE"
    return DEFAULT_PORT, "the convention, as the image names none"


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536
