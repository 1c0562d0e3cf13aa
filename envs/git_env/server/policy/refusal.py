"""Refusal: an agent asked for something it may not have, or that cannot be.

Nothing went wrong in the environment: the text becomes the observation's ``error``, so it says what to do
instead and never holds a path or an address of the server's own.
"""

from __future__ import annotations


class Refusal(Exception):
    """Ends the current step with ``success=False`` and this text."""
