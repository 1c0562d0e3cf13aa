"""The options of the command lines that serve an app; loads nothing of what serving needs."""

from __future__ import annotations

import argparse

from openenv_gym.server.settings import parse_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on, 0 for a free one")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="run N servers, each a process of its own, on PORT and the next free ports; clients of "
        "openenv-gym use all of them by the URL of any. MAX_CONCURRENT_ENVS and every other limit hold for "
        "each server",
    )
    parser.add_argument(
        "--advertise",
        type=_names,
        metavar="LIST",
        help="with --workers: what clients reach the servers by, in order, where that is not the port they "
        "listen on: ports of the same host or URLs, separated by commas",
    )
    parser.add_argument(
        "--log-level", default="info", choices=["critical", "error", "warning", "info", "debug"]
    )


def _names(text: str) -> list[int | str]:
    try:
        return [parse_name(name.strip()) for name in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
