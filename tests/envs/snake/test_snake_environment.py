"""The rules of Snake, and what its settings and reset options change."""

from __future__ import annotations

import random
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from openenv_gym.errors import InvalidActionError
from openenv_gym.spaces import action_codec, observation_codec
from snake_env import SnakeAction, SnakeObservation
from snake_env.server.settings import SnakeSettings, action_model, observation_model
from snake_env.server.snake_environment import SnakeEnvironment

EMPTY, WALL, FRUIT, HEAD, BODY, TAIL = range(6)


def place(grid: NDArray[np.uint8], content: int) -> tuple[int, int]:
    """The one cell with this content."""
    ((row, column),) = np.argwhere(grid == content)
    return int(row), int(column)


def way_to(observation: SnakeObservation, direction: tuple[int, int], target: tuple[int, int]) -> int:
    """A relative action that brings the head nearer to a cell, where that needs no turning back."""
    head = place(observation.grid, HEAD)
    down, right = direction
    turns = {0: direction, 1: (-right, down), 2: (right, -down)}

    def distance(action: int) -> int:
        step = turns[action]
        return abs(target[0] - head[0] - step[0]) + abs(target[1] - head[1] - step[1])

    return min(turns, key=distance)


def test_a_new_board_has_walls_one_fruit_and_a_straight_snake() -> None:
    for seed in range(20):
        grid = SnakeEnvironment().reset(seed=seed, snake_length=4).grid
        assert grid.shape == (20, 20)
        assert (grid[[0, -1]] == WALL).all() and (grid[:, [0, -1]] == WALL).all()
        assert [(grid == content).sum() for content in (WALL, FRUIT, HEAD, BODY, TAIL)] == [76, 1, 1, 2, 1]
        head, tail = np.array(place(grid, HEAD)), np.array(place(grid, TAIL))
        assert abs(head - tail).sum() == 3 and 0 in head - tail


def test_the_observation_shows_the_grid_in_channels() -> None:
    observation = SnakeEnvironment().reset(seed=1)
    planes, grid = observation.observation, observation.grid
    assert (planes.dtype, planes.shape) == (np.uint8, (20, 20, 8))
    for channel, content in {0: WALL, 1: FRUIT, 5: HEAD, 6: BODY, 7: TAIL}.items():
        assert (planes[..., channel] == (grid == content)).all()
    assert not planes[..., 2:5].any()


def test_a_narrow_view_is_centred_on_the_head_and_empty_beyond_the_grid() -> None:
    wide, narrow = SnakeEnvironment(), SnakeEnvironment(SnakeSettings(vision_range=4))
    for seed in range(10):
        whole = wide.reset(seed=seed)
        view = narrow.reset(seed=seed).observation
        row, column = place(whole.grid, HEAD)
        padded = np.pad(whole.observation, ((4, 4), (4, 4), (0, 0)))
        assert (view == padded[row : row + 9, column : column + 9]).all()


def test_eating_grows_the_snake_and_moves_the_fruit() -> None:
    env = SnakeEnvironment()
    observation = env.reset(seed=2)
    eaten = 0
    for _ in range(60):
        head, neck_side = np.array(place(observation.grid, HEAD)), env.snapshot().board.direction
        fruit = place(observation.grid, FRUIT)
        length = int((observation.grid >= HEAD).sum())
        observation = env.step(SnakeAction(action=way_to(observation, neck_side, fruit)))
        assert observation.alive
        new_head = place(observation.grid, HEAD)
        assert abs(np.array(new_head) - head).sum() == 1
        ate = new_head == fruit
        eaten += ate
        assert int((observation.grid >= HEAD).sum()) == length + ate
        assert observation.reward == (1.001 if ate else 0.001)
        assert (place(observation.grid, FRUIT) != fruit) == ate
    assert observation.episode_fruits == eaten >= 3
    assert observation.episode_score == pytest.approx(eaten + 0.06)
    assert observation.episode_steps == env.state.step_count == 60


def test_walls_and_the_own_body_kill() -> None:
    env = SnakeEnvironment()
    observation = env.reset(seed=1)
    while not observation.done:
        observation = env.step(SnakeAction(action=0))
    assert (observation.alive, observation.truncated, observation.reward) == (False, False, -1.0)
    assert not (observation.grid >= HEAD).any()
    env.reset(seed=1, snake_length=6)
    ends = [env.step(SnakeAction(action=1)) for _ in range(3)]
    assert [end.alive for end in ends] == [True, True, False]


def test_the_tail_makes_room_for_the_head() -> None:
    env = SnakeEnvironment()
    env.reset(seed=1, snake_length=4)
    for _ in range(12):
        assert env.step(SnakeAction(action=1)).alive


def test_time_truncates() -> None:
    env = SnakeEnvironment()
    env.reset(seed=1, max_episode_steps=4)
    ends = [env.step(SnakeAction(action=1)) for _ in range(4)]
    assert [(end.done, end.truncated) for end in ends] == [(False, False)] * 3 + [(True, True)]
    assert ends[-1].alive


def test_a_full_board_is_won() -> None:
    env = SnakeEnvironment(SnakeSettings(height=5, width=5, observer="human"))
    observation = env.reset(seed=1, snake_length=3)
    # Round and round the eight outer cells, with the way through the middle when the fruit is there.
    for seed in range(50):
        observation = env.reset(seed=seed, snake_length=3)
        observation = chase(env, observation)
        if observation.alive and observation.done:
            break
    assert observation.done and not observation.truncated
    assert (observation.grid == FRUIT).sum() == (observation.grid == EMPTY).sum() == 0
    assert observation.reward == pytest.approx(101.001)


def chase(env: SnakeEnvironment, observation: SnakeObservation) -> SnakeObservation:
    """Look a few moves ahead by snapshots, and play what eats soonest and lives longest."""
    rng = random.Random(1)
    while not observation.done and observation.episode_steps < 300:
        before = env.snapshot()
        best: tuple[float, int] = (-1e9, 0)
        for _ in range(40):
            env.restore(before)
            plan = [rng.randrange(1, 5) for _ in range(10)]
            score = 0.0
            for age, action in enumerate(plan):
                tried = env.step(SnakeAction(action=action))
                score += float(tried.reward or 0) * 0.9**age
                if tried.done:
                    break
            best = max(best, (score, plan[0]))
        env.restore(before)
        observation = env.step(SnakeAction(action=best[1]))
    return observation


@pytest.mark.parametrize("action", range(5))
def test_a_player_steers_by_directions_of_the_grid(action: int) -> None:
    env = SnakeEnvironment(SnakeSettings(observer="human"))
    for seed in range(8):
        before = env.reset(seed=seed)
        head = np.array(place(before.grid, HEAD))
        going = env.snapshot().board.direction
        wanted = {0: going, 1: (0, -1), 2: (0, 1), 3: (1, 0), 4: (-1, 0)}[action]
        expected = head + (going if wanted == (-going[0], -going[1]) else wanted)
        after = env.step(SnakeAction(action=action))
        if after.alive:
            assert place(after.grid, HEAD) == tuple(expected)
        else:
            assert before.grid[tuple(expected)] == WALL


def test_smaller_boards_fill_the_rest_with_wall() -> None:
    env = SnakeEnvironment()
    grid = env.reset(seed=1, height=6, width=9).grid
    assert grid.shape == (20, 20)
    assert (grid[1:5, 1:8] != WALL).all()
    assert (grid != WALL).sum() == 4 * 7


def test_rewards_can_be_changed() -> None:
    env = SnakeEnvironment()
    env.reset(seed=1, reward_dict={"time": -0.5, "lose": -7.0})
    assert env.step(SnakeAction(action=1)).reward == -0.5
    rewards = []
    while not (observation := env.step(SnakeAction(action=0))).done:
        rewards.append(observation.reward)
    assert observation.reward == -7.0


@pytest.mark.parametrize("options", [{"height": 21}, {"width": 30}, {"snake_length": 19}], ids=str)
def test_what_does_not_fit_is_refused_and_the_episode_goes_on(options: dict[str, Any]) -> None:
    env = SnakeEnvironment()
    env.reset(seed=1, episode_id="kept")
    with pytest.raises(InvalidActionError, match=r"does not fit|server's grid"):
        env.reset(**options)
    assert env.state.episode_id == "kept"
    env.step(SnakeAction(action=1))


def test_settings_make_the_spaces() -> None:
    settings = SnakeSettings.from_environ(
        {"SNAKE_HEIGHT": "10", "SNAKE_WIDTH": "12", "SNAKE_OBSERVER": "human"}
    )
    action = action_codec(action_model(settings).model_json_schema())
    assert action.space == Discrete(5)
    assert action.encode(3) == {"action": 3}
    schema = observation_model(settings).model_json_schema()
    assert observation_codec(schema).space == Box(0, 1, (10, 12, 8), np.uint8)
    with pytest.raises(ValueError, match="height"):
        SnakeSettings.from_environ({"SNAKE_HEIGHT": "4"})


def test_equal_moves_after_a_snapshot_have_equal_ends() -> None:
    def rest(env: SnakeEnvironment) -> list[Any]:
        rng = random.Random(5)
        observations = [env.step(SnakeAction(action=rng.choice([0, 1, 2]))) for _ in range(3)]
        while not observations[-1].done:
            observations.append(env.step(SnakeAction(action=rng.choice([0, 0, 1, 2]))))
        return [*(observation.model_dump_json() for observation in observations), env.state]

    env, fork = SnakeEnvironment(), SnakeEnvironment()
    env.reset(seed=4)
    env.step(SnakeAction(action=1))
    snapshot = env.snapshot()
    first = rest(env)
    env.restore(snapshot)
    fork.restore(snapshot)
    assert rest(env) == rest(fork) == first


def test_many_lanes_play_by_the_id_alone() -> None:
    with gymnasium.make_vec("openenv/Snake-v0", num_envs=4) as envs:
        assert envs.single_action_space == Discrete(3)
        observations, _ = envs.reset(seed=7)
        assert observations.shape == (4, 20, 20, 8) and observations.dtype == np.uint8
        local = [SnakeEnvironment().reset(seed=7 + lane).observation for lane in range(4)]
        assert (observations == np.stack(local)).all()
