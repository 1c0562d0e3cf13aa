"""Hypothesis strategies for what travels: JSON values, and frames from well-formed to nonsense."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    Op,
    Outcome,
    Reason,
    Request,
)

texts = st.text(max_size=20)  # hypothesis leaves out lone surrogates, as Unicode does
numbers = st.one_of(st.integers(), st.integers(-(10**30), 10**30), st.floats())
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=5)
finite_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)

requests = st.one_of(
    st.builds(Request, st.sampled_from([Op.RESET, Op.STEP, Op.MCP]), objects),
    st.builds(Request, st.sampled_from([Op.STATE, Op.CLOSE])),
)
rewards = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats())
outcomes = st.builds(Outcome, objects, rewards, st.booleans(), st.booleans(), st.one_of(st.none(), objects))
errors = st.builds(
    ErrorReply,
    st.one_of(st.sampled_from(list(ErrorCode)).map(str), texts),
    texts,
    st.one_of(
        objects,
        st.fixed_dictionaries(
            {"reason": st.sampled_from(list(Reason)).map(str)}, optional={"errors": values}
        ),
    ),
)

_types = st.one_of(
    st.sampled_from([*Op, "observation", "state", "mcp", "error", "Reset", ""]).map(str), values
)
_almost_frames = st.fixed_dictionaries(
    {},
    optional={
        "type": _types,
        "data": st.one_of(
            values,
            st.fixed_dictionaries(
                {},
                optional={
                    "observation": values,
                    "reward": values,
                    "done": values,
                    "metadata": values,
                    "code": values,
                    "message": values,
                    "errors": values,
                    "reason": values,
                    "retry_after": values,
                },
            ),
        ),
        "extra": values,
    },
)
frames = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet=st.characters(), max_size=200),
    values.map(json.dumps),
    _almost_frames.map(json.dumps),
    _almost_frames.map(json.dumps).map(str.encode),
)
