"""`openenv-gym build ENV`: builds container images of environments, and fills folders with what they need."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path

from openenv_gym.errors import UsageError
from openenv_gym.images import (
    ImageBuilder,
    ImageSources,
    base_sources,
    environment_sources,
    fill_wheelhouse,
    folder_sources,
    known_packages,
)
from openenv_gym.images.docker_program import find_docker
from openenv_gym.images.wheelhouse import PYTHON
from openenv_gym.registry.environments import BUILT_IN

summary = "build an environment's container image"

_BASE = "base"
# What other programs of a machine trust, in a network with an authority of its own.
_AUTHORITIES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PACKAGES = {
    entry.name.lower(): entry.server.partition(".")[0] for entry in BUILT_IN if entry.server is not None
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare options and arguments."""
    parser.add_argument(
        "environments",
        nargs="+",
        metavar="ENV",
        help="an environment's name (git, Wordle, git_env), a folder with a server/Dockerfile or Dockerfile, "
        f"or `{_BASE}`, the image that this project's environments stand on: it is built first where "
        "it is missing or older than this package",
    )
    parser.add_argument("-t", "--tag", help="what to call the image (default: as openenv.yaml says)")
    parser.add_argument(
        "--base-image", metavar="IMAGE", help="what the image stands on: the build argument BASE_IMAGE"
    )
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        type=_argument,
        metavar="NAME=VALUE",
        help="a build argument, as the Dockerfile has it; may be repeated",
    )
    parser.add_argument("--platform", help="what to build for, for example linux/arm64")
    parser.add_argument("--network", help="the network of the build's steps, as `docker build` has it")
    parser.add_argument("--no-cache", action="store_true", help="build every step anew")
    parser.add_argument("--progress", choices=["auto", "plain", "tty"], default="auto")
    parser.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="certificates that pip trusts in the build; no image keeps them (default: the file that "
        f"{', '.join(_AUTHORITIES)} names)",
    )
    wheels = parser.add_mutually_exclusive_group()
    wheels.add_argument(
        "--wheelhouse",
        type=Path,
        metavar="DIR",
        help="packages come from the wheels in this folder, and the build has no network unless --network "
        "names one",
    )
    wheels.add_argument(
        "--make-wheelhouse",
        type=Path,
        metavar="DIR",
        help="build nothing: fill this folder with the wheels that the images need, their base's among them",
    )
    parser.add_argument(
        "--python",
        default=PYTHON,
        metavar="X.Y",
        help="with --make-wheelhouse: the Python of the images (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Build, one after the other; prints the tags."""
    found = [sources_of(name) for name in options.environments]
    if options.tag is not None and len(found) > 1:
        raise UsageError("--tag is for one image: build the others by a command of their own")
    if options.make_wheelhouse is not None:
        fill_wheelhouse(
            options.make_wheelhouse, [base_sources(), *found], python=options.python, output=sys.stderr
        )
        return 0
    program = find_docker()
    if not program.has_buildkit:
        sys.stderr.write(f"{program.path} has no BuildKit (`docker buildx`): its legacy builder is used\n")
    for sources in found:
        builder = ImageBuilder(
            program,
            wheelhouse=options.wheelhouse,
            authorities=options.ca or _authorities(sources),
            platform=options.platform,
            network=options.network,
            no_cache=options.no_cache,
            progress=options.progress,
            output=sys.stderr,
        )
        given = dict(options.build_arg)
        if options.base_image is None and sources.stands_on_our_base:
            builder.build_base_if_stale(given)
        print(builder.build(sources, tag=options.tag, base_image=options.base_image, arguments=given))
    return 0


def sources_of(name: str) -> ImageSources:
    """What an environment's image is built from, by a name that a user may type.

    >>> sources_of("Wordle").tag, sources_of("openenv/Git-v0").tag, sources_of("git-tasks").tag
    ('textarena-env:latest', 'git-env:latest', 'git-tasks-env:latest')

    Raises:
        UsageError: Nothing has this name; says which have one like it.
    """
    if name == _BASE:
        return base_sources()
    short = name.lower().removeprefix("openenv/").partition("-v0")[0].replace("-", "_").removesuffix("_env")
    package = _PACKAGES.get(short, f"{short}_env")
    if short in _PACKAGES or package in known_packages():
        return environment_sources(package)
    if Path(name).is_dir():
        return folder_sources(Path(name))
    try:
        return environment_sources(package)
    except UsageError:
        names = sorted({_BASE, *_PACKAGES})
        close = difflib.get_close_matches(short, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
        raise UsageError(f"{name!r} is neither an environment nor a folder; {hint}") from None


def _authorities(sources: ImageSources) -> Path | None:
    """The certificates that this machine's programs are told to use, where the Dockerfile takes some."""
    named = next((os.environ[name] for name in _AUTHORITIES if os.environ.get(name)), None)
    return Path(named) if named is not None and sources.takes_authorities and Path(named).is_file() else None


def _argument(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
