"""What targets are called by this installation: which are the same, and which are shown under an alias."""

import functools
import hashlib
import secrets

import msgspec

from probe.model.errors import UserError
from probe.model.settings import Settings, TunnelNames
from probe.model.target import Target
from probe.store.installation import KEY_BYTES, load_key, load_register, save_register
from probe.store.place import find_path
from probe.targets.aliases.veil import Veil
from probe.targets.identities import Identities, Known
from probe.targets.lists.loaded import Loaded
from probe.targets.secret_places import Given

NO_KEY = (
    "the state folder takes no key of this installation, so aliases, and ids of targets that share an address, hold "
    "for this run alone"
)


class Naming:
    """Long-lived: one per process. The key is made, or read, when a target first asks for one."""

    def __init__(self, settings: Settings, *, lasting: bool = True) -> None:
        """Prepare; a command that only looks at lists leaves nothing behind (`lasting=False`)."""
        self._store_path = settings.store.path
        self._privacy = settings.privacy
        self._lasting = lasting
        self._is_kept = False
        self.notes: list[str] = []

    @property
    def aliases(self) -> bool:
        """Tell whether every tunnel is shown under an alias."""
        return self._privacy.tunnels is TunnelNames.ALIAS

    @functools.cached_property
    def veil(self) -> Veil:
        """Return what covers targets."""
        return Veil(lambda: self._key, everything=self.aliases)

    @property
    def seal(self) -> bytes | None:
        """Return the key that keeps addresses in the database unreadable; `None` = they may be read."""
        return self._key if self.aliases else None

    def settle(self, loaded: Loaded, given: Given | None = None) -> Loaded:
        """Return a list with an id of its own for each target, and aliases where they are wanted."""
        if any(target.secrets for target in loaded.targets):
            loaded = self._identities.settle(loaded, given)
        return msgspec.structs.replace(loaded, targets=self.veil.cover_targets(loaded.targets))

    def settle_targets(self, targets: list[Target], given: Given | None = None) -> list[Target]:
        """Do so with targets that stand in no list."""
        return list(self.settle(Loaded(targets=tuple(targets)), given).targets)

    def mark(self, text: str) -> str:
        """Return a name for a text that tells nobody without the key what it is."""
        return hashlib.blake2s(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()

    @functools.cached_property
    def _key(self) -> bytes:
        key = load_key(self._store_path, self._privacy.key_file, make=self._lasting)
        if key is None and self._lasting:
            self.notes.append(NO_KEY)
        self._is_kept = key is not None
        return key or secrets.token_bytes(KEY_BYTES)

    @functools.cached_property
    def _identities(self) -> Identities:
        key, path = self._key, self._store_path
        if not self._is_kept:
            return Identities(key)
        register = load_register(path, dict[str, tuple[Known, ...]])
        return Identities(key, register, functools.partial(save_register, path) if self._lasting else None)


def refuse_without_key(naming: Naming, settings: Settings) -> None:
    """Refuse to run for long under aliases that the next start would change.

    Raises:
        UserError: there is no key to be had.
    """
    if naming.aliases and naming.seal is not None and naming.notes:
        folder = find_path(settings.store.path).parent
        raise UserError(str(folder), NO_KEY, "make it writable for this user, or name privacy.key_file")
