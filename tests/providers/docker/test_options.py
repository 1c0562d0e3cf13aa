"""What is asked of the engine for which options, without an engine."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.docker.image import ImageFacts
from openenv_gym.providers.docker.options import in_bytes

IMAGE = ImageFacts.read("image:tag", {"Config": {"User": "1000"}})
ROOTS = ImageFacts.read("image:tag", {"Config": {"Labels": {"openenv-gym.writable": "/a /b"}}})


def configuration(image: ImageFacts = IMAGE, environ: dict[str, str] | None = None, **options: Any) -> Any:
    provider = DockerProvider(**options)
    return provider._options.engine_configuration(image, environ or {}, {"label": "value"})


def test_defaults_are_hardened():
    asked = configuration()
    host = asked["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == []
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Privileged"], host["ReadonlyRootfs"], host["Init"]) == (False, True, True)
    assert host["Memory"] == host["MemorySwap"] == 2 << 30  # the same: no swap
    assert host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["PidsLimit"] == 512
    assert host["IpcMode"] == "private"
    assert host["ShmSize"] == 256 << 20
    assert host["Tmpfs"] == {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={512 << 20}"}
    assert host["Ulimits"] == [{"Name": "core", "Soft": 0, "Hard": 0}]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": str(1 << 20), "max-file": "2"}}
    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["AutoRemove"] is False
    assert host["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert (asked["Image"], asked["Labels"]) == ("image:tag", {"label": "value"})


@pytest.mark.parametrize(
    ("options", "section", "expected"),
    [
        ({"memory": None}, "HostConfig", {"Memory": None, "MemorySwap": None}),
        ({"memory": "1g", "memory_swap": "3g"}, "HostConfig", {"Memory": 1 << 30, "MemorySwap": 3 << 30}),
        ({"cpus": 0.5}, "HostConfig", {"CpuPeriod": 100_000, "CpuQuota": 50_000}),
        ({"cpus": None}, "HostConfig", {"CpuQuota": None}),
        ({"pids": None}, "HostConfig", {"PidsLimit": None}),
        ({"read_only": False}, "HostConfig", {"ReadonlyRootfs": False}),
        ({"tmpfs": {}}, "HostConfig", {"Tmpfs": {}}),
        ({"writable": ["/data"]}, None, {"Volumes": {"/data": {}}}),
        ({"user": "7:8"}, None, {"User": "7:8"}),
        ({"cap_drop": [], "cap_add": ["CHOWN"]}, "HostConfig", {"CapDrop": [], "CapAdd": ["CHOWN"]}),
        ({"no_new_privileges": False}, "HostConfig", {"SecurityOpt": []}),
        ({"security_opt": ["x=y"]}, "HostConfig", {"SecurityOpt": ["no-new-privileges", "x=y"]}),
        ({"init": False}, "HostConfig", {"Init": False}),
        ({"ipc": "shareable"}, "HostConfig", {"IpcMode": "shareable"}),
        ({"shm_size": "1g"}, "HostConfig", {"ShmSize": 1 << 30}),
        ({"log_size": None}, "HostConfig", {"LogConfig": None}),
        ({"ulimits": {"nofile": 9}}, "HostConfig", {"Ulimits": [{"Name": "nofile", "Soft": 9, "Hard": 9}]}),
        ({"healthcheck": False}, None, {"Healthcheck": {"Test": ["NONE"]}}),
        ({"port": 80}, None, {"ExposedPorts": {"80/tcp": {}}}),
        ({"network": "mine"}, "HostConfig", {"NetworkMode": "mine"}),
        ({"extra_hosts": {"git": "host-gateway"}}, "HostConfig", {"ExtraHosts": ["git:host-gateway"]}),
        ({"volumes": ["/a:/b:ro"]}, "HostConfig", {"Binds": ["/a:/b:ro"]}),
        ({"volumes": {"/a": "/b:ro"}}, "HostConfig", {"Binds": ["/a:/b:ro"]}),
        ({"gpus": "all"}, "HostConfig", {"DeviceRequests": [{"Capabilities": [["gpu"]], "Count": -1}]}),
        ({"gpus": 2}, "HostConfig", {"DeviceRequests": [{"Capabilities": [["gpu"]], "Count": 2}]}),
        ({"gpus": "0"}, "HostConfig", {"DeviceRequests": [{"Capabilities": [["gpu"]], "DeviceIDs": ["0"]}]}),
        ({"runtime": "runsc"}, "HostConfig", {"Runtime": "runsc"}),
        ({"command": ["a", "b c"]}, None, {"Cmd": ["a", "b c"]}),
    ],
)
def test_every_option_is_passed_on(options: dict[str, Any], section: str | None, expected: dict[str, Any]):
    asked = configuration(**options)
    part = asked if section is None else asked[section]
    assert {name: part.get(name) for name in expected} == expected


def test_the_port_is_published_where_asked():
    bindings = configuration(port=80, bind="10.0.0.1")["HostConfig"]["PortBindings"]
    assert bindings == {"80/tcp": [{"HostIp": "10.0.0.1", "HostPort": ""}]}


def test_images_of_root_run_as_nobody():
    asked = configuration(ROOTS, {"A": "1"})
    assert asked["User"] == "65534:65534"
    assert asked["Env"] == ["A=1", "HOME=/tmp"]
    assert asked["Volumes"] == {"/a": {}, "/b": {}}
    assert configuration(ROOTS, {"HOME": "/h"})["Env"] == ["HOME=/h"]
    assert configuration(ROOTS, user="root")["User"] == "root"
    assert "User" not in configuration(IMAGE)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(7, 7), ("7", 7), ("1.5k", 1536), ("2G", 2 << 30), ("3 MiB", 3 << 20)],
)
def test_sizes(size: int | str, expected: int):
    assert in_bytes(size, "memory") == expected


@pytest.mark.parametrize("size", ["", "many", "-1", "1x", "1 2"])
def test_what_is_no_size_is_named(size: str):
    with pytest.raises(UsageError, match=r"shm_size='.*' is not a size"):
        DockerProvider(shm_size=size)
