"""Where the database is, and what is said when it cannot be there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probe.model.errors import UserError
from probe.model.settings import StoreSettings
from probe.store.care import back_up, restore
from probe.store.errors import StoreLockedError
from probe.store.installation import load_key, save_register
from probe.store.place import WriterLock, find_path
from probe.store.store import Store
from tests.fakes import FakeClock

OPEN = """
import sys
from probe.model.errors import UserError
from probe.model.settings import StoreSettings
from probe.net.clock import SystemClock
from probe.store.store import Store
try:
    Store.open(StoreSettings(path=sys.argv[1]), SystemClock(), read_only="ro" in sys.argv).close()
    print("opened")
except UserError as error:
    print(error)
"""
NOBODY = 65534


def open_as_nobody(path: Path, *, read_only: bool = False) -> str:
    """Open a database as a user without rights, in a process of its own, and return what is said."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            Store.open(StoreSettings(path=str(path)), FakeClock(), read_only=read_only).close()
            os.write(send, b"opened")
        except UserError as error:
            os.write(send, str(error).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """Return a folder that everybody can enter."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("configured", "environ", "path"),
    [
        ("/srv/a.db", {"STATE_DIRECTORY": "/var/lib/wallprobe"}, "/srv/a.db"),
        ("", {"STATE_DIRECTORY": "/var/lib/wallprobe", "XDG_STATE_HOME": "/x"}, "/var/lib/wallprobe/wallprobe.db"),
        ("", {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one/wallprobe.db"),
        ("", {"XDG_STATE_HOME": "/x", "HOME": "/home/u"}, "/x/wallprobe/wallprobe.db"),
        ("", {"HOME": "/home/u"}, "/home/u/.local/state/wallprobe/wallprobe.db"),
    ],
)
def test_the_configured_path_comes_first_then_systemds_then_the_users(
    configured: str, environ: dict[str, str], path: str
) -> None:
    assert find_path(configured, environ) == Path(path)


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock()).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_the_lock_is_free_again_once_released(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path / "w.db"), WriterLock(tmp_path / "w.db")
    first.acquire()
    with pytest.raises(StoreLockedError) as caught:
        second.acquire()
    assert caught.value.where == str(tmp_path / "w.db")
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_held_by_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from probe.store.place import WriterLock;"
        " WriterLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
    )
    # The lock object must outlive the call, so it is kept by name.
    script = script.replace("WriterLock(Path(sys.argv[1])).acquire()", "k = WriterLock(Path(sys.argv[1])); k.acquire()")
    command = [sys.executable, "-c", script, str(tmp_path / "w.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StoreLockedError):
            WriterLock(tmp_path / "w.db").acquire()
        process.kill()
        process.wait(10)
    lock = WriterLock(tmp_path / "w.db")
    lock.acquire()
    lock.release()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError) as caught:
        Store.open(StoreSettings(path=str(tmp_path / "file" / "w.db")), FakeClock())
    assert str(tmp_path) in str(caught.value)


def test_a_database_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        Store.open(StoreSettings(path=str(tmp_path)), FakeClock())


def test_without_permission_the_error_names_file_and_remedy(reachable: Path) -> None:
    Store.open(StoreSettings(path=str(reachable / "w.db")), FakeClock()).close()
    assert "no permission; make file and folder writable for this user" in open_as_nobody(reachable / "w.db")
    assert "no permission" in open_as_nobody(reachable / "sub" / "w.db")


def test_a_database_that_may_be_read_alone_is_refused_for_writing_and_read(reachable: Path) -> None:
    path = reachable / "w.db"
    Store.open(StoreSettings(path=str(path)), FakeClock()).close()
    path.chmod(0o644)
    assert "no permission" in open_as_nobody(path)
    assert open_as_nobody(path, read_only=True) == "opened"


def test_a_folder_that_cannot_be_written_is_refused(reachable: Path) -> None:
    path = reachable / "w.db"
    Store.open(StoreSettings(path=str(path)), FakeClock()).close()
    path.chmod(0o666)
    path.with_name("w.db-lock").chmod(0o666)
    said = open_as_nobody(path)
    assert str(path) in said
    assert "; " in said


def test_a_full_disk_is_named_at_opening(tmp_path: Path) -> None:
    script = f'mount -t tmpfs -o size=64k none "{tmp_path}" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", OPEN, str(tmp_path / "w.db")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode != 0:
        pytest.skip(f"no mount namespace here: {done.stderr[-200:]}")
    assert "the disk is full; free some space" in done.stdout


def test_what_root_makes_in_the_agents_folder_is_the_agents(reachable: Path) -> None:
    folder = reachable / "state"
    folder.mkdir(mode=0o700)
    path, copy = folder / "wallprobe.db", reachable / "copy.db"
    Store.open(StoreSettings(path=str(path)), FakeClock()).close()
    back_up(path, copy)
    for left in folder.iterdir():
        left.unlink()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    assert restore(copy, path)
    assert load_key(str(path)) is not None
    save_register(str(path), {})
    assert open_as_nobody(path) == "opened"
    for made in folder.iterdir():
        assert made.stat().st_uid == NOBODY, made
    assert copy.stat().st_uid == 0, "root's own folders keep what root puts there"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobodys_home(path: Path) -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "expanduser", nobodys_home)
    with pytest.raises(UserError, match=r"set store\.path"):
        find_path("", {})
