"""The same servers as for the quick engines, and what importing a simulator's library takes."""

import warnings

from tests.engines.conftest import servers

with warnings.catch_warnings():
    # SWIG's warns of its own types while it is imported; as an error, that ends the interpreter.
    warnings.simplefilter("ignore")
    import Box2D  # noqa: F401

__all__ = ["servers"]
