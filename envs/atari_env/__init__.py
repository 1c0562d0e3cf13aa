"""The Atari environment: the games of the Arcade Learning Environment, as pixels or as memory."""

from atari_env.client import AtariEnv
from atari_env.models import AtariAction, AtariObservation, AtariState

__all__ = ["AtariAction", "AtariEnv", "AtariObservation", "AtariState"]
