"""Apps that never serve, for testing what starts servers: ``"openenv_gym.testing.unsound_apps:exits"``."""

from __future__ import annotations

import os
import sys
import time
from typing import NoReturn

LAST_WORDS = "this app ends before it serves"
"""What `exits` writes last."""


def exits() -> NoReturn:
    """End the server's process with code 3 while it loads the app; its log shows its token first."""
    print("OPENENV_GYM_TOKEN", os.environ.get("OPENENV_GYM_TOKEN"), flush=True)
    print(LAST_WORDS, flush=True)
    sys.exit(3)


def hangs() -> NoReturn:
    """Load for an hour, in which nothing is answered."""
    print("loading", flush=True)
    time.sleep(3600)
    sys.exit("nobody ended this")
