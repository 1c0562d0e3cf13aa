"""What a server's container cannot do by default, tried from inside it."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import docker
import pytest

from openenv_gym.client.schemas import fetch_health
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import ServerSpec
from tests.docker.inside import Inside

MEBIBYTE = 1 << 20

# Tells on which of the addresses in its arguments, HOST:PORT, somebody listens.
CONNECT = """
    import json, socket, sys

    def reached(address):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=3).close()
        except OSError:
            return False
        return True

    print(json.dumps([address for address in sys.argv[1:] if reached(address)]))
"""


class Server:
    """A server in a container, and the inside of that."""

    def __init__(self, client: docker.DockerClient, image: str, provider: DockerProvider) -> None:
        self.provider = provider
        self.endpoint = provider.start(ServerSpec(image=image, name="echo"))
        self.inside = Inside(client, provider.name)

    @property
    def port(self) -> int:
        port = urlsplit(self.endpoint.base_url).port
        assert port is not None
        return port

    @property
    def bridge(self) -> dict[str, str]:
        """The container's address and its gateway."""
        self.inside.container.reload()
        found: dict[str, str] = self.inside.container.attrs["NetworkSettings"]["Networks"]["bridge"]
        return found


@pytest.fixture(scope="module")
def server(docker_client: docker.DockerClient, echo_image: str) -> Iterator[Server]:
    with DockerProvider(ready_timeout=120) as provider:
        yield Server(docker_client, echo_image, provider)


@pytest.fixture
def small(docker_client: docker.DockerClient, echo_image: str) -> Iterator[Server]:
    """A server with little of everything."""
    with DockerProvider(memory="192m", cpus=0.25, ready_timeout=120) as provider:
        yield Server(docker_client, echo_image, provider)


# --- privileges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["self", "1"])
def test_no_process_has_a_privilege(server: Server, process: str) -> None:
    program = """
        import json, sys
        lines = open(f"/proc/{sys.argv[1]}/status").read().splitlines()
        print(json.dumps({name: value.split() for name, value in (line.split(":", 1) for line in lines)}))
    """
    status = server.inside.told(program, process)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name][0], 16) == 0, name
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]
    assert "0" not in {*status["Uid"], *status["Gid"], *status["Groups"]}


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "libc.mount(b'none', b'/', None, 32, None)",  # a remount, writable
        "libc.unshare(0x10000000)",  # a user namespace, to be root in
        "libc.unshare(0x00020000)",  # a mount namespace
        "libc.setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)",
        "libc.sethostname(b'mine', 4)",
        "libc.chroot(b'/tmp')",
        "libc.mknod(b'/tmp/disk', 0o60666, (8 << 8) | 0)",
        "libc.setuid(0)",
        "libc.syscall(175, 0, 0, 0)",  # init_module
    ],
)
def test_the_kernel_refuses(server: Server, attempt: str) -> None:
    program = f"""
        import ctypes, errno, json, os
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            result = {attempt}
            number = ctypes.get_errno()
        except OSError as error:
            result, number = -1, error.errno
        print(json.dumps([result, errno.errorcode.get(number)]))
    """
    assert server.inside.told(program) in ([-1, "EPERM"], [-1, "EACCES"])


# --- files -----------------------------------------------------------------------------------------------


def test_nothing_but_memory_can_be_written_to(server: Server) -> None:
    program = """
        import json, os
        found = set()
        for folder, folders, files in os.walk("/"):
            folders[:] = [] if folder == "/proc" else folders
            found |= {folder} if os.access(folder, os.W_OK) else set()
        print(json.dumps(sorted(found)))
    """
    assert server.inside.told(program) == ["/dev/mqueue", "/dev/shm", "/tmp"]


@pytest.mark.parametrize("folder", ["/", "/etc", "/opt/server", "/usr/bin", "/var", "/run", "/home"])
def test_the_images_files_stay(server: Server, folder: str) -> None:
    program = """
        import os, sys
        os.open(os.path.join(sys.argv[1], "mine"), os.O_CREAT | os.O_WRONLY)
    """
    code, output = server.inside.run(program, folder)
    assert code != 0
    assert "Read-only file system" in output or "Permission denied" in output


@pytest.mark.parametrize(("folder", "size"), [("/tmp", 512 * MEBIBYTE), ("/dev/shm", 256 * MEBIBYTE)])
def test_files_in_memory_are_bounded(server: Server, folder: str, size: int) -> None:
    program = """
        import errno, json, os, sys
        folder, size = sys.argv[1], int(sys.argv[2])
        path = os.path.join(folder, "large")
        file = os.open(path, os.O_CREAT | os.O_RDWR)
        os.posix_fallocate(file, 0, 1 << 20)
        try:
            os.posix_fallocate(file, 0, size + 1)
        except OSError as error:
            whole = os.statvfs(folder)
            print(json.dumps([whole.f_blocks * whole.f_frsize, error.errno == errno.ENOSPC]))
        finally:
            os.unlink(path)
    """
    assert server.inside.told(program, folder, str(size)) == [size, True]


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/sys/kernel/profiling",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/cgroup.procs",
        "/dev/mem",
        "/dev/kmsg",
    ],
)
def test_the_kernels_files_stay(server: Server, path: str) -> None:
    program = """
        import sys
        open(sys.argv[1], "r+b", buffering=0)
    """
    code, output = server.inside.run(program, path)
    assert code != 0
    assert output.strip().splitlines()[-1].startswith(("PermissionError", "OSError", "FileNotFoundError"))


def test_there_are_only_harmless_devices(server: Server) -> None:
    program = """
        import json, os, stat
        found = {}
        for folder, folders, files in os.walk("/dev"):
            for name in files:
                mode = os.lstat(os.path.join(folder, name)).st_mode
                found[os.path.join(folder, name)] = stat.S_IFMT(mode)
        print(json.dumps(found))
    """
    found = server.inside.told(program)
    devices = {path for path, kind in found.items() if kind in (stat.S_IFCHR, stat.S_IFBLK)}
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "console", "pts/ptmx"}
    assert devices <= {f"/dev/{name}" for name in harmless}


def test_the_engines_socket_is_not_there(server: Server) -> None:
    program = """
        import json, os, stat
        found = []
        for folder, folders, files in os.walk("/"):
            folders[:] = [] if folder == "/proc" else folders
            paths = [os.path.join(folder, name) for name in files]
            found += [path for path in paths if stat.S_ISSOCK(os.lstat(path).st_mode)]
        print(json.dumps(found))
    """
    assert server.inside.told(program) == []


def test_the_hosts_processes_are_not_seen(server: Server) -> None:
    program = """
        import json, os
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        print(json.dumps([pids, open("/proc/1/comm").read().strip()]))
    """
    pids, first = server.inside.told(program)
    assert first == "docker-init"
    assert len(pids) < 10


# --- limits ----------------------------------------------------------------------------------------------


def test_the_defaults_limit_memory_processors_and_processes(server: Server) -> None:
    program = """
        import json
        def first(*paths):
            for path in paths:
                try:
                    return open("/sys/fs/cgroup/" + path).read().split()
                except FileNotFoundError:
                    pass
        print(json.dumps({
            "memory": first("memory/memory.limit_in_bytes", "memory.max"),
            "pids": first("pids/pids.max", "pids.max"),
            "cpu": first("cpu.max") or first("cpu/cpu.cfs_quota_us") + first("cpu/cpu.cfs_period_us"),
        }))
    """
    told = server.inside.told(program)
    assert told == {"memory": [str(2048 * MEBIBYTE)], "pids": ["512"], "cpu": ["200000", "100000"]}


def test_who_takes_too_much_memory_is_killed(small: Server) -> None:
    code, _ = small.inside.run("held = bytearray(1 << 30)")
    assert code == 137
    assert small.provider.state().status == "running"
    assert fetch_health(small.endpoint)


def test_a_server_that_takes_too_much_memory_is_reported(small: Server) -> None:
    program = """
        import os
        for name in os.listdir("/proc"):  # the server is to be killed, not this program
            if name.isdecimal() and int(name) not in (1, os.getpid()):
                open(f"/proc/{name}/oom_score_adj", "w").write("1000")
        held = bytearray(1 << 30)
    """
    small.inside.run(program)
    small.inside.container.wait(timeout=30)
    assert "for want of memory" in small.provider.state().detail


def test_a_fork_bomb_is_contained(server: Server) -> None:
    program = """
        import errno, json, os, signal
        bombs = []
        try:
            while True:
                pid = os.fork()
                if pid == 0:
                    signal.pause()
                bombs.append(pid)
        except OSError as error:
            refused = error.errno == errno.EAGAIN
        for pid in bombs:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        print(json.dumps([len(bombs), refused]))
    """
    started, refused = server.inside.told(program)
    assert refused
    assert started < 512
    assert fetch_health(server.endpoint)
    assert subprocess.run(["true"], check=False).returncode == 0, "the host has no process left"


def test_processor_time_is_limited(small: Server) -> None:
    program = """
        import json, time
        started = time.monotonic()
        while time.monotonic() - started < 1.5:
            pass
        print(json.dumps(time.process_time() / (time.monotonic() - started)))
    """
    assert small.inside.told(program) < 0.5  # a quarter, and what is left of the period before


# --- networks --------------------------------------------------------------------------------------------


@pytest.fixture
def loopback_port() -> Iterator[int]:
    """Somebody else's service on this machine's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_hosts_loopback_is_out_of_reach(server: Server, loopback_port: int) -> None:
    socket.create_connection(("127.0.0.1", loopback_port), timeout=3).close()
    ways = ["127.0.0.1", "localhost", "0.0.0.0", server.bridge["Gateway"]]
    addresses = [f"{way}:{port}" for way in ways for port in (loopback_port, server.port)]
    reached = server.inside.told(CONNECT, *addresses, "127.0.0.1:8000")
    assert reached == ["127.0.0.1:8000"], "but for its own server"


def test_the_port_is_published_on_loopback_alone(server: Server) -> None:
    told = json.loads(subprocess.run(["ip", "-json", "address"], check=True, capture_output=True).stdout)
    addresses = {address["local"] for link in told for address in link["addr_info"]}
    others = {address for address in addresses if address not in ("127.0.0.1", "::1")}
    assert server.bridge["Gateway"] in others
    for address in ("127.0.0.1", *others):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
            connection.settimeout(3.0)
            scope = (0, 0) if ":" in address else ()
            reached = connection.connect_ex((address, server.port, *scope)) == 0
        assert reached == (address == "127.0.0.1"), address


def test_a_neighbour_needs_the_token(server: Server, small: Server) -> None:
    program = """
        import json, sys, urllib.error, urllib.request
        try:
            print(json.dumps(urllib.request.urlopen(f"http://{sys.argv[1]}:8000/schema", timeout=5).status))
        except urllib.error.HTTPError as error:
            print(json.dumps(error.code))
    """
    assert server.inside.told(program, small.bridge["IPAddress"]) == 401
