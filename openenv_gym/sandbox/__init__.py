"""Run hostile programs: bubblewrap, else Landlock with seccomp and resource limits, else refuse.

>>> from openenv_gym.sandbox import SandboxSpec, open_sandbox
>>> with open_sandbox(SandboxSpec()) as sandbox:
...     sandbox.run(["echo", "hello"]).stdout
b'hello\\n'
"""

from __future__ import annotations

from openenv_gym.sandbox.process import SandboxProcess
from openenv_gym.sandbox.sandbox import Sandbox
from openenv_gym.sandbox.selection import MechanismChoice, available, open_sandbox, why_not
from openenv_gym.sandbox.spec import Completed, Limits, Mount, SandboxSpec

__all__ = [
    "Completed",
    "Limits",
    "MechanismChoice",
    "Mount",
    "Sandbox",
    "SandboxProcess",
    "SandboxSpec",
    "available",
    "open_sandbox",
    "why_not",
]
