"""Keeps a Docker engine of its own running, and takes away all of it at the end.

A script, run in a mount namespace of its own below a guard process: ``keeper.py FOLDER``. The engine's
socket and data are in the folder, its bridge and cgroup are named like the folder. As a machine's service
manager does, it starts the engine anew when that ends. SIGTERM ends the keeper, and nothing is left: no
process, mount, bridge, cgroup or folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# What engines use wherever their own folders are; hidden from this one's eyes by an empty file system.
_SHARED_FOLDERS = (Path("/etc/docker"), Path("/run/containerd"))
_PAUSE_BEFORE_RESTART = 1.0  # seconds
_GRACE = 5.0  # seconds the engine has to end
_SUBREAPER = 36

_CONTAINERD = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{folder}/containerd.sock"
"""


class Keeper:
    """One engine: containerd, dockerd, their bridge, and what they run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = folder.name
        self._made_folders: list[Path] = []
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._block: ipaddress.IPv4Network | None = None  # everything's addresses
        self._pool: ipaddress.IPv4Network | None = None  # of it, for the networks that are made

    def run(self) -> None:
        """Keep the engine until SIGTERM."""
        # What the engine starts and lets go becomes this process's child, so that it can be found at the end.
        ctypes.CDLL(None).prctl(_SUBREAPER, ctypes.c_ulong(1))
        stop = {signal.SIGTERM, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
        try:
            self._prepare()
            containerd = self._start("containerd", "--config", f"{self._folder}/containerd.toml")
            # Only at first: an engine with pools that finds its old bridge network removes docker0 (20.10),
            # and that is another engine's.
            self._dockerd = self._start_dockerd("--default-address-pool", f"base={self._pool},size=24")
            while signal.sigwait(stop) != signal.SIGTERM:
                if containerd.poll() is not None:
                    sys.exit(f"containerd ended with {containerd.returncode}")
                if self._dockerd.poll() is not None:
                    if signal.sigtimedwait({signal.SIGTERM}, _PAUSE_BEFORE_RESTART):
                        return
                    self._dockerd = self._start_dockerd()
        finally:
            self._clear()

    def _prepare(self) -> None:
        for folder in _SHARED_FOLDERS:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                self._made_folders.append(folder)
            _run("mount", "-t", "tmpfs", "-o", "mode=711", "tmpfs", str(folder))
        block = self._block = _free_block()
        (self._folder / "block").write_text(str(block))
        first, self._pool = block.subnets(prefixlen_diff=1)
        # Where another engine lives, what its rules do not allow to be forwarded is dropped.
        _run("iptables", "--wait", "-I", *_forwarding(block))
        _run("ip", "link", "add", self._name, "type", "bridge")
        _run("ip", "address", "add", f"{first[1]}/24", "dev", self._name)
        _run("ip", "link", "set", self._name, "up")
        (self._folder / "containerd.toml").write_text(_CONTAINERD.format(folder=self._folder))
        settings = {
            "bridge": self._name,
            "cgroup-parent": f"/{self._name}",
            "containerd": f"{self._folder}/containerd.sock",
            "data-root": f"{self._folder}/data",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "exec-root": f"{self._folder}/exec",
            # Its rules would be the whole machine's. Without, published ports are forwarded by processes.
            "iptables": False,
            "ip6tables": False,
            "hosts": [f"unix://{self._folder}/docker.sock"],
            "pidfile": f"{self._folder}/dockerd.pid",
            # gVisor, on the network that the engine made for the container: it cannot take that over itself.
            "runtimes": {"runsc": {"path": "runsc", "runtimeArgs": ["--network=host"]}},
        }
        (self._folder / "daemon.json").write_text(json.dumps(settings, indent=1))

    def _start_dockerd(self, *options: str) -> subprocess.Popen[bytes]:
        (self._folder / "dockerd.pid").unlink(missing_ok=True)  # a killed one's, whose number may be taken
        return self._start("dockerd", "--config-file", f"{self._folder}/daemon.json", *options)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{command[0]}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ()),
            )

    def _clear(self) -> None:
        if self._dockerd is not None:
            self._dockerd.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a container may not end: see below
                self._dockerd.wait(_GRACE)
        while children := list(_children()):
            for child in children:
                os.kill(child, signal.SIGKILL)
            while _reaped():
                pass
            time.sleep(0.01)
        for path in _mounts_below(self._folder):
            _run("umount", "--lazy", path)
        for folder in _SHARED_FOLDERS:
            subprocess.run(["umount", "--lazy", str(folder)], check=False, stderr=subprocess.DEVNULL)
        for folder in self._made_folders:
            folder.rmdir()
        if self._block is not None:
            for bridge in _interfaces_within(self._block):
                # A killed engine's: those of containers that run go with them, often before this is done.
                for end in _attached_to(bridge):
                    subprocess.run(["ip", "link", "delete", end], check=False, stderr=subprocess.DEVNULL)
                _run("ip", "link", "delete", bridge)
            subprocess.run(["iptables", "--wait", "-D", *_forwarding(self._block)], check=False)
        for cgroup in Path("/sys/fs/cgroup").glob(f"**/{self._name}"):
            for path, _, _ in os.walk(cgroup, topdown=False):
                Path(path).rmdir()
        shutil.rmtree(self._folder)


def _free_block() -> ipaddress.IPv4Network:
    """Choose 4096 private addresses that nothing on this machine has a route to, at random."""
    routes = json.loads(_run("ip", "-json", "-4", "route", "show", "table", "all"))
    taken = [
        ipaddress.ip_network(route["dst"], strict=False) for route in routes if route["dst"] != "default"
    ]
    blocks = list(ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=20))
    random.shuffle(blocks)
    for block in blocks:
        if not any(block.overlaps(network) for network in taken):
            return block
    sys.exit("every private address has a route")


def _forwarding(block: ipaddress.IPv4Network) -> list[str]:
    """The rule that lets containers talk to each other."""
    return ["FORWARD", "-s", str(block), "-d", str(block), "-j", "ACCEPT"]


def _interfaces_within(block: ipaddress.IPv4Network) -> list[str]:
    """The engine's bridges: one of ours and one for each network."""
    links = json.loads(_run("ip", "-json", "-4", "address"))
    return [
        link["ifname"]
        for link in links
        if any(ipaddress.ip_address(address["local"]) in block for address in link.get("addr_info", ()))
    ]


def _attached_to(bridge: str) -> list[str]:
    """The ends of pairs that lead from a bridge to containers."""
    return [link["ifname"] for link in json.loads(_run("ip", "-json", "link", "show", "master", bridge))]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _children() -> Iterator[int]:
    yield from map(int, Path("/proc/thread-self/children").read_text().split())


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _mounts_below(folder: Path) -> list[str]:
    """The mount points below a folder, the innermost first."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True)


if __name__ == "__main__":
    Keeper(Path(sys.argv[1])).run()
