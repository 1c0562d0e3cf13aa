"""Decoded elements in Gymnasium's own machinery: check_env, vector envs, shared memory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

from openenv_gym.spaces import ArraySequence, SpaceCodec, Text, Union, codec_for

POINT = {"type": "object", "properties": {"x": {"type": "number"}, "name": {"type": "string"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "count": {"type": "integer"},
        "level": {"type": "integer", "minimum": 1, "maximum": 4},
        "score": {"type": "number"},
        "point": {"anyOf": [{**POINT, "required": ["x", "name"]}, {"type": "null"}]},
        "pair": {
            "anyOf": [
                {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}, {"type": "boolean"}],
                    "minItems": 2,
                    "maxItems": 2,
                },
                {"type": "null"},
            ]
        },
        "extra": {"type": "object"},
    },
    "required": ["text", "note", "count", "level", "score", "point", "pair", "extra"],
}


def value_after(step: int, action: int) -> dict[str, Any]:
    """An observation that changes in every field from step to step."""
    return {
        "text": "é😀\x00" * step,
        "note": None if step % 2 else f"note {step}",
        "count": step * 2**40,
        "level": 1 + (step + action) % 4,
        "score": step / 3,
        "point": {"x": float(step), "name": "n" * step} if step % 2 else None,
        "pair": None if step % 2 else [step, True],
        "extra": {"step": [step, None]},
    }


def make_env() -> Callable[[], gymnasium.Env[Any, Any]]:
    # Made inside a function, so that a spawned worker gets it by value and need not import this module.
    schema, observe = SCHEMA, value_after

    class ScriptedEnv(gymnasium.Env[Any, Any]):
        def __init__(self) -> None:
            self.codec = codec_for(schema)
            self.observation_space = self.codec.space
            self.action_space = codec_for({"type": "integer", "minimum": 0, "maximum": 2}).space
            self.step_count = 0

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            super().reset(seed=seed)
            self.step_count = 0
            return self.codec.decode(observe(0, 0)), {}

        def step(self, action: Any) -> Any:
            self.step_count += 1
            return self.codec.decode(observe(self.step_count, int(action))), 0.0, False, False, {}

    return ScriptedEnv


@pytest.fixture
def codec() -> SpaceCodec:
    return codec_for(SCHEMA)


def run(envs: VectorEnv[Any, Any, Any]) -> list[Any]:
    try:
        observations = [envs.reset(seed=1)[0]]
        for actions in ([0, 1], [2, 0], [1, 1]):
            observations.append(envs.step(np.array(actions))[0])
        assert all(envs.observation_space.contains(observation) for observation in observations)
        return observations
    finally:
        envs.close()


@pytest.mark.filterwarnings("ignore:.*Box observation space m.* value is -?infinity")
def test_a_decoded_environment_passes_gymnasiums_check() -> None:
    env = make_env()()
    env.spec = gymnasium.envs.registration.EnvSpec("Scripted-v0", entry_point=make_env())
    check_env(env, skip_render_check=True)


def test_shared_memory_across_processes_gives_what_one_process_gives() -> None:
    expected = run(SyncVectorEnv([make_env()] * 2))
    observed = run(AsyncVectorEnv([make_env()] * 2, shared_memory=True, context="spawn"))
    assert len(observed) == len(expected) == 4
    for left, right in zip(observed, expected, strict=True):
        assert data_equivalence(left, right, exact=True)
    assert observed[1]["text"] == ("é😀\x00",) * 2


def test_actions_of_a_batch_come_apart_again() -> None:
    codec = codec_for(SCHEMA)

    class Recorder(gymnasium.Env[Any, Any]):
        observation_space = Text(3)
        action_space = codec.space

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return "", {}

        def step(self, action: Any) -> Any:
            self.seen = codec.encode(action)
            return "", 0.0, False, False, {}

    with_values = SyncVectorEnv([Recorder, Recorder])
    with_values.reset()
    with_values.action_space.seed(4)
    batch = with_values.action_space.sample()
    with_values.step(batch)
    for env in with_values.envs:
        assert codec.space.contains(codec.decode(env.unwrapped.seen))
    assert with_values.envs[0].unwrapped.seen != with_values.envs[1].unwrapped.seen
    with_values.close()


def test_reading_shared_memory_stays_current_and_copies_stand_still(codec: SpaceCodec) -> None:
    space = codec.space
    memory = create_shared_memory(space, 2)
    read = read_from_shared_memory(space, memory, 2)
    assert read["text"] == ("", "")
    for lane in range(2):
        write_to_shared_memory(space, lane, codec.decode(value_after(3 + lane, 0)), memory)
    before = copy.deepcopy(read)
    assert type(before["text"]) is type(before["point"]) is tuple
    lanes = [
        {name: before[name][lane] for name in ("text", "note", "point", "pair", "extra")} for lane in range(2)
    ]
    for lane, element in enumerate(lanes):
        decoded = codec.decode(value_after(3 + lane, 0))
        assert data_equivalence(element, {name: decoded[name] for name in element}, exact=True)
    write_to_shared_memory(space, 0, codec.decode(value_after(1, 0)), memory)
    assert read["text"][0] == "é😀\x00"
    assert before["text"][0] == "é😀\x00" * 3


def test_live_lanes_behave_like_the_tuple_they_show() -> None:
    space = Text(5)
    memory = create_shared_memory(space, 3)
    read = read_from_shared_memory(space, memory, 3)
    write_to_shared_memory(space, 1, "b", memory)
    assert tuple(read) == read == ("", "b", "")
    assert (read[1], read[-2], read[1:]) == ("b", "b", ("b", ""))
    assert "b" in read
    assert "c" not in read
    assert repr(read) == "('', 'b', '')"
    assert pickle.loads(pickle.dumps(read)) == ("", "b", "")
    assert len(read) == 3


def test_the_longest_text_fits_and_a_longer_one_is_refused() -> None:
    space = Text(4, min_length=1)
    memory = create_shared_memory(space, 2)
    assert read_from_shared_memory(space, memory, 2) == (" ", " ")
    write_to_shared_memory(space, 0, "\U0010ffff" * 4, memory)
    write_to_shared_memory(space, 1, "z", memory)
    assert read_from_shared_memory(space, memory, 2) == ("\U0010ffff" * 4, "z")
    with pytest.raises(ValueError, match="5 characters"):
        write_to_shared_memory(space, 0, "x" * 5, memory)


def test_a_union_equals_the_plain_one() -> None:
    assert Union([Text(3)]) == gymnasium.spaces.OneOf([Text(3)])


def test_sequences_say_that_shared_memory_is_not_for_them() -> None:
    with pytest.raises(TypeError, match="shared_memory"):
        create_shared_memory(ArraySequence(Text(3)), 2)
