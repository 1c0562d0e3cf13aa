"""Echo, Git and Coding keep what every environment promises in hardened containers of their images."""

from __future__ import annotations

from tests.docker.contracts import InContainers
from tests.envs.coding import test_contract as coding
from tests.envs.echo import test_contract as echo
from tests.envs.git import test_contract as git


class TestEchoImage(InContainers, echo.TestEcho):
    image = "echo"


class TestGitImage(InContainers, git.TestGit):
    image = "git"


class TestCodingImage(InContainers, coding.TestCoding):
    image = "coding"
    ignore = frozenset({"metadata.sandbox"})  # in a container it is Landlock, as there bubblewrap cannot work
