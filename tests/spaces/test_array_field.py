"""Arrays as fields of models: what goes in, what the schema says, what comes out."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pytest
from gymnasium import spaces
from pydantic import BaseModel, Field, ValidationError

from openenv_gym.server.plain import dump_model, plainly_typed_fields
from openenv_gym.spaces import observation_codec
from openenv_gym.spaces.array_field import ArrayOf, with_spaces

BOARD = spaces.Box(-1, 1, (2, 3), np.int8)
SPEED = spaces.Box(0, np.inf, (2,), np.float32)


class Game(BaseModel):
    board: Annotated[np.ndarray, ArrayOf(BOARD)]
    speed: Annotated[np.ndarray, ArrayOf(SPEED)]
    keys: Annotated[np.ndarray, ArrayOf(spaces.MultiBinary(2))]


class Sketch(BaseModel):
    picture: Annotated[np.ndarray, ArrayOf(np.uint8)] = Field(description="a picture of any size")


VALUES: dict[str, Any] = {"board": [[1, 0, -1], [0, 0, 0]], "speed": [1, 2.5], "keys": [0, 1]}


def test_lists_and_arrays_become_arrays_of_the_dtype() -> None:
    for values in (VALUES, {name: np.array(value) for name, value in VALUES.items()}):
        game = Game.model_validate(values)
        assert [array.dtype for array in (game.board, game.speed, game.keys)] == [
            np.int8,
            np.float32,
            np.int8,
        ]
        assert {name: getattr(game, name).tolist() for name in VALUES} == VALUES
    assert Sketch(picture=[[1, 255]]).picture.dtype == np.uint8  # type: ignore[arg-type]
    assert Sketch(picture=[]).picture.dtype == np.uint8  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"board": [[1, 0, -1]]},
        {"board": [[1, 0, -1], [0]]},
        {"board": [[1, 0, 300], [0, 0, 0]]},
        {"board": [[1, 0, 0.5], [0, 0, 0]]},
        {"board": [["1", "0", "0"], ["0", "0", "0"]]},
        {"board": None},
        {"speed": [True, False]},
        {"keys": "01"},
    ],
    ids=["shape", "ragged", "overflow", "fraction", "text", "none", "booleans", "string"],
)
def test_what_would_change_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Game.model_validate({**VALUES, **wrong})


def test_the_schema_gives_back_the_spaces_exactly() -> None:
    schema = Game.model_json_schema()
    assert observation_codec(schema).space == spaces.Dict(
        {"board": BOARD, "speed": SPEED, "keys": spaces.MultiBinary(2)}
    )
    assert schema["properties"]["board"]["items"] == {"type": "array", "items": {"type": "integer"}}
    assert schema["properties"]["speed"]["items"] == {"type": "number"}


def test_a_server_settles_shapes_that_its_clients_leave_open() -> None:
    exact = with_spaces(Sketch, {"picture": spaces.Box(0, 255, (4, 5, 3), np.uint8)})
    assert issubclass(exact, Sketch) and exact.__name__ == "Sketch"
    assert exact.model_fields["picture"].description == "a picture of any size"
    picture = np.ones((4, 5, 3), np.uint8)
    assert exact(picture=picture).picture is picture
    assert Sketch(**exact(picture=picture).model_dump()).picture.shape == (4, 5, 3)
    with pytest.raises(ValidationError, match="shape"):
        exact(picture=picture[:3])
    space = observation_codec(exact.model_json_schema()).space
    assert space == spaces.Dict({"picture": spaces.Box(0, 255, (4, 5, 3), np.uint8)})


def test_a_picture_can_be_flat_on_the_wire_and_shaped_in_its_space() -> None:
    box = spaces.Box(0, 255, (2, 2, 3), np.uint8)
    exact = with_spaces(Sketch, {"picture": ArrayOf(box, flat=True)})
    sketch = exact(picture=np.arange(12, dtype=np.uint8))
    assert sketch.model_dump_json() == '{"picture":[0,1,2,3,4,5,6,7,8,9,10,11]}'
    codec = observation_codec(exact.model_json_schema())
    assert codec.space == spaces.Dict({"picture": box})
    assert codec.decode(dump_model(sketch))["picture"].tolist() == np.arange(12).reshape(2, 2, 3).tolist()
    with pytest.raises(ValidationError, match="shape"):
        exact(picture=np.zeros((2, 2, 3), np.uint8))


def test_models_of_arrays_are_dumped_without_pydantic() -> None:
    assert plainly_typed_fields(Game) == ("board", "speed", "keys")
    game = Game.model_validate(VALUES)
    dumped = dump_model(game)
    assert isinstance(dumped["board"], np.ndarray) and dumped["board"] is not game.board
    assert game.model_dump_json() == '{"board":[[1,0,-1],[0,0,0]],"speed":[1.0,2.5],"keys":[0,1]}'
