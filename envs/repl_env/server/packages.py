"""The installed packages that a kernel is made of, as the sandbox sees them: read-only."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path

from openenv_gym.errors import MissingExtraError

_IMPORTS = "import numpy, zmq, ipykernel.ipkernel, ipykernel.kernelapp"
_TIMEOUT = 120.0


@functools.cache
def packages_folder() -> Path:
    """The folder that ipykernel and what it needs are installed in.

    Raises:
        MissingExtraError: It is not installed.
    """
    spec = importlib.util.find_spec("ipykernel")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the REPL environment", "repl")
    return Path(spec.origin).parents[1]


@functools.cache
def compile_packages() -> None:
    """Have Python write the packages' bytecode, where the installation has none and may have it.

    Kernels cannot write it themselves, and without it each would spend more than half of its start compiling.
    """
    example = packages_folder() / "ipykernel" / "kernelapp.py"
    if sys.dont_write_bytecode or Path(importlib.util.cache_from_source(str(example))).exists():
        return
    # Whether it works is seen by nothing but the time that kernels take.
    subprocess.run([sys.executable, "-c", _IMPORTS], stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=False)
