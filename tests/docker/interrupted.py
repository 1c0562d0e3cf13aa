"""A trainer that ends in the middle of things: ``python -m tests.docker.interrupted HOW IMAGE``.

It says on its standard output what it has reached, one line each; the test does the rest.
"""

from __future__ import annotations

import asyncio
import sys

import gymnasium

import openenv_gym  # noqa: F401 - registers the ids
from openenv_gym import GenericEnvClient


def make(image: str) -> None:
    """Be interrupted before there is an environment."""
    say("making")
    gymnasium.make("openenv/Echo-v0", image=image)
    say("made")


def make_fleet(image: str) -> None:
    """Be interrupted while several servers start."""
    say("making")
    gymnasium.make_vec("openenv/Echo-v0", num_envs=4, image=image, num_containers=2)
    say("made")


def episode(image: str) -> None:
    """Be interrupted while stepping."""
    env = gymnasium.make("openenv/Echo-v0", image=image)
    env.reset(seed=1)
    say("stepping")
    while True:
        env.step({"message": "x"})


def fleet(image: str) -> None:
    """Be interrupted while stepping several at once, on several servers."""
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=4, image=image, num_containers=2)
    envs.reset(seed=1)
    say("stepping")
    while True:
        envs.step(envs.action_space.sample())


def client(image: str) -> None:
    """Be interrupted under asyncio."""

    async def main() -> None:
        env = await GenericEnvClient.from_docker_image(image)
        await env.reset(seed=1)
        say("stepping")
        while True:
            await env.step({"message": "x"})

    asyncio.run(main())


def leave(image: str) -> None:
    """End without a close."""
    env = gymnasium.make("openenv/Echo-v0", image=image)
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=4, image=image, num_containers=2)
    for one in (env, envs):
        one.reset(seed=1)
    globals().update(env=env, envs=envs)  # so that they are there until the interpreter ends
    say("leaving")


def fail(image: str) -> None:
    """End by an error of one's own."""
    leave(image)
    raise RuntimeError("a bug in the trainer")


def say(what: str) -> None:
    """Tell the test."""
    print(what, flush=True)


if __name__ == "__main__":
    ends = {end.__name__: end for end in (make, make_fleet, episode, fleet, client, leave, fail)}
    ends[sys.argv[1]](sys.argv[2])
