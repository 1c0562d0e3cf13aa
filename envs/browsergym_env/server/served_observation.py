"""The observation as this server serves it: its schema says of which size the screenshots are, if any."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box
from pydantic import Field

from browsergym_env.models import BrowserGymObservation
from browsergym_env.server.settings import BrowserGymSettings
from openenv_gym.spaces.array_field import ArrayOf

SETTINGS = BrowserGymSettings.from_environ()
"""This server's settings, which its schema tells of."""


class ObservationWithScreenshot(BrowserGymObservation):
    """An observation of a server that takes screenshots."""

    screenshot: Annotated[np.ndarray, ArrayOf(Box(0, 255, SETTINGS.screenshot_shape, np.uint8))] = Field(
        description="The page as an image, (height, width, 3)"
    )


class ObservationWithoutScreenshot(BrowserGymObservation):
    """An observation of a server that takes no screenshots."""

    screenshot: None = Field(default=None, description="Null: set BROWSERGYM_INCLUDE_SCREENSHOT=true")


ServedObservation = ObservationWithScreenshot if SETTINGS.include_screenshot else ObservationWithoutScreenshot
