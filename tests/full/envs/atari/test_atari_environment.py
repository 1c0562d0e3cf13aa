"""The Atari environment beside the emulator itself: the same games, rewards and screens."""

from __future__ import annotations

import io
import random
import zlib
from base64 import b64decode
from typing import Any

import gymnasium
import numpy as np
import pytest
from ale_py import ALEInterface, LoggerMode, roms
from gymnasium.spaces import Box, Discrete

import openenv_gym
from atari_env import AtariAction, AtariObservation
from atari_env.server.atari_environment import AtariEnvironment
from atari_env.server.emulator import game_names
from atari_env.server.settings import AtariSettings, Interface
from openenv_gym.errors import InvalidActionError
from openenv_gym.spaces import action_codec, observation_codec


def make(**settings: Any) -> AtariEnvironment:
    return AtariEnvironment(Interface(AtariSettings(**settings)))


def actions(count: int, num_actions: int, seed: int = 1) -> list[AtariAction]:
    rng = random.Random(seed)
    return [AtariAction(action_id=rng.randrange(num_actions)) for _ in range(count)]


def essence(observation: AtariObservation) -> tuple[Any, ...]:
    """What two observations are compared by."""
    return (
        zlib.crc32(observation.screen.tobytes()),
        observation.screen_shape,
        observation.reward,
        observation.lives,
        observation.episode_frame_number,
        observation.done,
    )


def emulated(game: str, chosen: list[AtariAction], frameskip: int) -> list[tuple[Any, ...]]:
    """What the emulator alone makes of actions."""
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path(game))
    ale.reset_game()
    seen = []
    for action in [None, *chosen]:
        reward = 0.0
        for _ in range(frameskip if action else 0):
            reward += ale.act(ale.getMinimalActionSet()[action.action_id])
            if ale.game_over():
                break
        screen = ale.getScreenRGB()
        seen.append(
            (
                zlib.crc32(screen.tobytes()),
                list(screen.shape),
                reward,
                ale.lives(),
                ale.getEpisodeFrameNumber(),
                ale.game_over(),
            )
        )
    return seen


@pytest.mark.parametrize(("game", "num_actions"), [("pong", 6), ("ms_pacman", 9), ("pooyan", 6)])
def test_games_go_as_in_the_emulator_every_time(game: str, num_actions: int) -> None:
    env = make(game_name=game)
    expected = emulated(game, actions(100, num_actions), frameskip=4)
    for _ in range(2):
        seen = [essence(env.reset(seed=1))]
        seen += [essence(env.step(action)) for action in actions(100, num_actions)]
        assert seen == expected


@pytest.mark.parametrize(
    ("kind", "shape"), [("rgb", [210, 160, 3]), ("grayscale", [210, 160]), ("ram", [128])]
)
def test_what_is_observed(kind: str, shape: list[int]) -> None:
    env = make(obs_type=kind)
    first = env.reset(seed=1)
    later = [env.step(action) for action in actions(30, 6)][-1]
    for observation in (first, later):
        assert observation.screen_shape == shape
        assert observation.screen.shape == (np.prod(shape),)
        assert observation.pixels.shape == tuple(shape)
        assert observation.screen.dtype == np.uint8
    assert (first.screen != later.screen).any()
    assert env.state.obs_type == kind


def test_settings_make_the_spaces() -> None:
    settings = AtariSettings.from_environ(
        {"ATARI_GAME": "breakout", "ATARI_OBS_TYPE": "grayscale", "ATARI_FRAMESKIP": "2", "ATARI_MODE": "4"}
    )
    interface = Interface(settings)
    action = action_codec(interface.action_cls.model_json_schema())
    assert action.space == Discrete(4)
    assert action.encode(3) == {"action_id": 3}
    schema = interface.observation_cls.model_json_schema()
    assert observation_codec(schema).space == Box(0, 255, (210, 160), np.uint8)
    state = AtariEnvironment(interface).state
    assert (state.game_name, state.frameskip, state.mode, state.difficulty) == ("breakout", 2, 4, None)
    assert Interface(AtariSettings(full_action_space=True)).num_actions == 18
    with pytest.raises(ValueError, match="obs_type"):
        AtariSettings.from_environ({"ATARI_OBS_TYPE": "text"})


def test_equal_seeds_repeat_sticky_actions_and_others_do_not() -> None:
    env = make(game_name="breakout", repeat_action_probability=0.25)

    def episode(seed: int) -> list[tuple[Any, ...]]:
        env.reset(seed=seed)
        return [essence(env.step(action)) for action in actions(60, 4)]

    first = episode(1)
    assert episode(1) == first
    assert episode(2) != first


def test_an_action_that_always_repeats_never_acts() -> None:
    env = make()
    env.reset(seed=1, repeat_action_probability=1.0)
    stuck = [essence(env.step(AtariAction(action_id=2))) for _ in range(30)]
    env.reset(seed=1)
    assert [essence(env.step(AtariAction(action_id=0))) for _ in range(30)] == stuck


def test_a_reset_can_choose_another_game_of_the_same_spaces() -> None:
    env = make()
    env.reset(seed=1, game_name="breakout", frameskip=1)
    assert env.state.game_name == "breakout"
    observation = env.step(AtariAction(action_id=3))
    assert observation.legal_actions == [0, 1, 2, 3]
    assert observation.action_mask.tolist() == [1, 1, 1, 1, 0, 0]
    assert (observation.lives, observation.episode_frame_number) == (5, 1)
    assert observation.metadata["game_name"] == "breakout"
    with pytest.raises(InvalidActionError, match="action_id is 0 to 3"):
        env.step(AtariAction(action_id=5))
    env.reset(seed=1)
    assert env.state.game_name == "pong"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"game_name": "ms_pacman"}, "ATARI_FULL_ACTION_SPACE=true"),
        ({"game_name": "pooyan"}, "ATARI_GAME=pooyan"),
        ({"game_name": "joust"}, "there is no game 'joust'"),
        ({"game_name": "../../etc/passwd"}, "there is no game"),
        ({"mode": 99}, "pong has no mode 99"),
        ({"difficulty": 7}, "pong has no difficulty 7"),
    ],
    ids=str,
)
def test_what_cannot_be_played_is_refused_and_the_game_goes_on(options: dict[str, Any], reason: str) -> None:
    env = make()
    env.reset(seed=1)
    before = [essence(env.step(action)) for action in actions(5, 6)]
    env.reset(seed=1)
    seen = [essence(env.step(action)) for action in actions(3, 6)]
    with pytest.raises(InvalidActionError, match=reason):
        env.reset(**options)
    seen += [essence(env.step(action)) for action in actions(5, 6)[3:]]
    assert seen == before


def test_games_for_two_are_not_offered() -> None:
    assert len(game_names()) >= 100
    assert {"combat", "joust", "maze_craze", "warlords"}.isdisjoint(game_names())


def test_a_limit_of_frames_truncates() -> None:
    env = make()
    env.reset(seed=1, max_frames=10)
    ends = [env.step(AtariAction(action_id=0)) for _ in range(3)]
    assert [(end.done, end.truncated, end.episode_frame_number) for end in ends] == [
        (False, False, 4),
        (False, False, 8),
        (True, True, 10),
    ]


def test_a_game_ends_by_itself() -> None:
    env = make()
    env.reset(seed=1, frameskip=60)
    total = 0.0
    while not (observation := env.step(AtariAction(action_id=0))).done:
        total += observation.reward or 0
    assert total + (observation.reward or 0) == -21.0
    assert not observation.truncated


def test_the_screen_as_an_image() -> None:
    image = pytest.importorskip("PIL.Image")
    env = make(obs_type="ram")
    assert env.reset(seed=1).screen_image is None
    env.reset(seed=1, screen_image=True)
    shown = env.step(AtariAction(action_id=0)).screen_image
    assert shown is not None
    prefix, data = shown.split(",")
    assert prefix == "data:image/png;base64"
    pixels = np.asarray(image.open(io.BytesIO(b64decode(data))))
    other = make()
    other.reset(seed=1)
    assert np.array_equal(pixels, other.step(AtariAction(action_id=0)).pixels)


def test_equal_actions_after_a_snapshot_have_equal_ends() -> None:
    options: dict[str, Any] = {"game_name": "seaquest", "repeat_action_probability": 0.25, "frameskip": 1}
    interface = Interface(AtariSettings(full_action_space=True))

    def rest(env: AtariEnvironment) -> list[Any]:
        return [*(essence(env.step(action)) for action in actions(80, 18, seed=3)), env.state]

    env, fork = AtariEnvironment(interface), AtariEnvironment(interface)
    env.reset(seed=1, **options)
    for action in actions(50, 18):
        env.step(action)
    snapshot = env.snapshot()
    first = rest(env)
    env.reset(seed=2)  # another game in between
    env.restore(snapshot)
    fork.restore(snapshot)
    assert rest(env) == rest(fork) == first


def test_snapshots_and_forks_by_the_id_alone() -> None:
    with gymnasium.make("openenv/Atari-v0") as env:
        assert env.observation_space == Box(0, 255, (210, 160, 3), np.uint8)
        assert env.action_space == Discrete(6)
        env.reset(seed=1, options={"repeat_action_probability": 0.25})
        for _ in range(20):
            env.step(2)
        before = openenv_gym.snapshot(env)
        first = [env.step(3)[0] for _ in range(10)]
        openenv_gym.restore(env, before)
        assert np.array_equal([env.step(3)[0] for _ in range(10)], first)
        with openenv_gym.fork(env, before) as fork:
            assert np.array_equal([fork.step(3)[0] for _ in range(10)], first)
