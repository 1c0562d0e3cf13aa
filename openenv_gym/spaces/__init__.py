"""JSON Schema to gymnasium spaces, and values both ways without loss.

:mod:`openenv_gym.spaces.space_codec` says which schema becomes which space.
"""

from openenv_gym.spaces import shared_memory as _shared_memory  # noqa: F401 - registers with gymnasium
from openenv_gym.spaces.array_sequence import ArraySequence
from openenv_gym.spaces.batching import unbatched
from openenv_gym.spaces.hints import hint_for, space_from_hint
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.scalar import Scalar
from openenv_gym.spaces.space_codec import SpaceCodec, action_codec, codec_for, observation_codec
from openenv_gym.spaces.text import Text
from openenv_gym.spaces.tool_calls import ToolCalls, tool_call_codec
from openenv_gym.spaces.union import Union

__all__ = [
    "ArraySequence",
    "JsonText",
    "Scalar",
    "SpaceCodec",
    "Text",
    "ToolCalls",
    "Union",
    "action_codec",
    "codec_for",
    "hint_for",
    "observation_codec",
    "space_from_hint",
    "tool_call_codec",
    "unbatched",
]
