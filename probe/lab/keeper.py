"""The lab's first process: makes the namespaces, starts the parts, runs programs in the client, takes all with it.

It is process 1 of a process namespace of its own, so whatever ends it (the parent's exit, Ctrl-C, SIGKILL) has the
kernel end every other process and with them every namespace, interface, mount and file of the lab.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from probe.lab import syscalls, topology
from probe.lab.forwarder import Forwarder
from probe.lab.messages import (
    LIMIT_BYTES,
    LIMIT_DESCRIPTORS,
    Died,
    Exited,
    Kill,
    Ready,
    Refused,
    Serve,
    Spawn,
    Write,
    decode,
    send,
)
from probe.lab.world.atlas import CONTROL_V4, ISP_RESOLVER
from probe.lab.world.certificates import Authority
from probe.lab.world.plan import World
from probe.lab.world.secure import Keyring
from probe.lab.world.serve import Servers

FOLDER = Path("/dev/shm/wallprobe-lab")
"""In a tmpfs that only the lab sees: it ends with the lab."""
CA_FILE = FOLDER / "roots.pem"
WORLD_RESOLVERS = "resolv.conf.world"
REMEDY = "run as root, allow unprivileged user namespaces, or give a container CAP_SYS_ADMIN"


class Keeper:
    """Process 1: starts programs in the client and tells when they end."""

    def __init__(self, control: socket.socket, client: topology.Place, world: topology.Place) -> None:
        self._control = control
        self._client = client
        self._world = world
        self._programs: dict[int, int] = {}
        """Process id by the number that the lab gave the program."""
        self._parts: dict[int, str] = {}

    def start_part(self, name: str, work: Callable[[], None]) -> None:
        """Fork a part of the lab; it ends with this process."""
        pid = os.fork()
        if pid == 0:
            _run_child(work)
        self._parts[pid] = name

    def run(self) -> None:
        """Obey until the control socket closes."""
        selector = selectors.DefaultSelector()
        woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        selector.register(woken, selectors.EVENT_READ)
        selector.register(self._control, selectors.EVENT_READ)
        self._reap()
        while True:
            for key, _events in selector.select():
                if key.fileobj is self._control:
                    if not self._obey():
                        self._end_all()
                        return
                else:
                    os.read(woken, 512)
                    self._reap()

    def _obey(self) -> bool:
        data, descriptors, _flags, _address = socket.recv_fds(self._control, LIMIT_BYTES, LIMIT_DESCRIPTORS)
        if not data:
            return False
        message = decode(data)
        if isinstance(message, Spawn):
            self._spawn(message, descriptors)
        elif isinstance(message, Kill) and message.id in self._programs:
            os.kill(self._programs[message.id], message.signal)
        elif isinstance(message, Write):
            Path(FOLDER, message.name).write_bytes(message.content)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _spawn(self, order: Spawn, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(order, descriptors)
        self._programs[order.id] = pid

    def _become(self, order: Spawn, descriptors: list[int]) -> NoReturn:
        """Turn this fork into the program; whatever prevents it goes to the program's own stderr.

        Descriptors after the third are listening sockets, passed as systemd does: see sd_listen_fds(3).
        """
        passed = len(descriptors) - 3
        listening = {"LISTEN_FDS": str(passed), "LISTEN_PID": str(os.getpid())} if passed else {}
        try:
            # Before all else: the descriptors that the program gets may take the numbers that this namespace's has.
            place = self._world if order.in_world else self._client
            syscalls.enter(place.namespace, syscalls.CLONE_NEWNET)
            show_own_cards()
            if order.in_world:
                show_own_resolvers()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(order.folder)
            os.execvpe(order.argv[0], order.argv, {**order.environment, **listening})
        except OSError as error:
            os.write(2, f"{order.argv[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _end_all(self) -> None:
        """End what we have started, and wait for it: the kernel would, but count its processor time to nobody."""
        started = (*self._parts, *self._programs.values())
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in started:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            # Whoever started the lab may be gone already; then all of it ends in a moment.
            with contextlib.suppress(BrokenPipeError):
                self._report(pid, status)

    def _report(self, pid: int, status: int) -> None:
        if pid in self._parts:
            send(self._control, Died(part=self._parts[pid]))
        for number, program in list(self._programs.items()):
            if program == pid:
                del self._programs[number]
                send(self._control, Exited(id=number, code=os.waitstatus_to_exitcode(status)))


def _run_child(work: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work()
        code = 0
    except (BrokenPipeError, ConnectionResetError):
        pass  # whoever started the lab is gone
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code, whatever happened
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def serve_world(control: socket.socket, trusted: Authority) -> None:
    """Be the world: obey until the control socket closes."""
    untrusted = Authority("Lantern Gateway CA", FOLDER)

    async def obey() -> None:
        loop = asyncio.get_running_loop()
        servers: Servers | None = None
        retired: list[Servers] = []  # they hold the tasks of connections that are open still
        control.setblocking(False)
        while data := await loop.sock_recv(control, LIMIT_BYTES):
            message = decode(data)
            if isinstance(message, Serve):
                if servers is not None:
                    await servers.close()
                    retired.append(servers)
                servers = Servers(Keyring(trusted, untrusted))
                trusted.clock_offset_s = untrusted.clock_offset_s = message.world.clock_offset_s
                await servers.open(message.world)
                send(control, Ready())

    # Not asyncio.run: at the end the process goes at once, and open connections need no goodbye.
    loop = asyncio.new_event_loop()
    loop.run_until_complete(obey())
    loop.set_exception_handler(lambda loop, context: None)  # and their tasks need no complaint that they are dropped


def hide_host() -> None:
    """Give the lab its own view of files: private mounts, /proc, resolv.conf, hosts, and a folder that ends with it."""
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("proc", "/proc", "proc", flags)
    except OSError:
        # Containers hide parts of /proc and then forbid a fresh one; the old one serves, with the outer process ids.
        pass
    syscalls.mount("tmpfs", "/dev/shm", "tmpfs")
    FOLDER.mkdir()
    for name, content in (
        ("resolv.conf", f"nameserver {ISP_RESOLVER}\noptions timeout:2 attempts:2\n"),
        (WORLD_RESOLVERS, "nameserver 9.9.9.9\nnameserver 8.8.8.8\noptions timeout:2 attempts:2\n"),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ):
        (FOLDER / name).write_text(content)
        if Path("/etc", name).exists():
            syscalls.mount(str(FOLDER / name), f"/etc/{name}", flags=syscalls.MS_BIND)


def show_own_cards() -> None:
    """Have /sys tell of the network namespace that this process has joined: else it tells of the host's."""
    # Containers that hide parts of /sys forbid a fresh one; the old one then stays, and tells of other cards.
    with contextlib.suppress(OSError):
        syscalls.unshare(syscalls.CLONE_NEWNS)
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("sysfs", "/sys", "sysfs", flags)


def show_own_resolvers() -> None:
    """Have a program in the world ask resolvers of the world, not those of the client."""
    if Path("/etc/resolv.conf").exists():
        syscalls.mount(str(FOLDER / WORLD_RESOLVERS), "/etc/resolv.conf", flags=syscalls.MS_BIND)


def set_up(plan: World, control: socket.socket, forwarder: socket.socket, world: socket.socket) -> Keeper:
    """Build everything, from inside the new namespaces.

    Raises:
        OSError: the kernel refuses something.
    """
    hide_host()
    trusted = Authority("Meadow Root R1", FOLDER)
    CA_FILE.write_bytes(trusted.pem)
    client = topology.build_client()
    beyond = topology.build_world((*plan.all_addresses, CONTROL_V4))
    keeper = Keeper(control, client, beyond)
    keeper.start_part("world", lambda: serve_world(world, trusted))
    ports = topology.build_port(client.card), topology.build_port(beyond.card)
    keeper.start_part("forwarder", lambda: Forwarder(*ports, forwarder).run())
    for no_longer_ours in (client.card, beyond.card):
        os.close(no_longer_ours)
    world.close()
    forwarder.close()
    return keeper


def enter_namespaces() -> None:
    """Leave the host's namespaces; as an ordinary user by way of a user namespace in which we are root.

    Raises:
        OSError: the kernel refuses.
    """
    wanted = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET
    if os.geteuid() == 0:
        try:
            syscalls.unshare(wanted)
        except PermissionError:
            pass
        else:
            return
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    syscalls.unshare(wanted)


def main() -> int:
    """Be a lab until whoever started it has had enough, or is gone; then there is nobody to complain to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Our starter had it blocked for us, so that no Ctrl-C came before we could ignore it.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    syscalls.die_with_parent()
    try:
        return keep()
    except (BrokenPipeError, ConnectionResetError):
        return 1


def keep() -> int:
    """Make the namespaces, fork process 1 into them, and wait for it."""
    control, forwarder, world = (socket.socket(fileno=int(number)) for number in sys.argv[1:4])
    # Read before anything can fail: closing with data unread resets the pair, and our last word would be lost.
    asked = control.recv(LIMIT_BYTES)
    if not asked:
        return 1
    plan = decode(asked)
    assert isinstance(plan, Serve)
    try:
        enter_namespaces()
    except OSError as error:
        send(control, Refused(what=f"the kernel refuses new namespaces ({error.strerror})", remedy=REMEDY))
        return 1
    first = os.fork()
    if first:
        for end in (control, forwarder, world):
            end.close()
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    syscalls.die_with_parent()
    try:
        keeper = set_up(plan.world, control, forwarder, world)
    except OSError as error:
        what = f"the kernel refuses {error.filename or 'a part of the lab'} ({error.strerror})"
        send(control, Refused(what=what, remedy=REMEDY))
        return 1
    send(control, Ready())
    keeper.run()
    return 0


if __name__ == "__main__":
    ended = main()
    sys.stderr.flush()
    # The two processes that get here hold a lab's end up for a tenth of a second each if Python tidies up first.
    os._exit(ended)
