"""Opens encrypted OpenDocument packages; what is decrypted stays in memory.

Source: OASIS OpenDocument 1.3, part 2, section 3.4, and LibreOffice's extension of it (the whole
package encrypted with AES-GCM, keys derived with Argon2id).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from inglenook.containers import measured_zip
from inglenook.errors import LoadError, MissingDependencyError
from inglenook.types import CancelToken, LoadRequest
from inglenook_office.package import Package, normal_name
from inglenook_office.xml_events import (
    Attributes,
    ByteStream,
    DamagedXmlError,
    Handlers,
    whole_number,
)

__all__ = ["opened_encrypted"]

_MANIFEST = "META-INF/manifest.xml"
_WHOLE = "encrypted-package"
_MOST_ITERATIONS = 1_000_000
_MOST_PASSES = 20
_MOST_MEMORY_KIB = 131_072
_MOST_BYTES = 300_000_000


@dataclass(slots=True)
class _Lock:
    """How one member is encrypted."""

    algorithm: str = ""
    vector: bytes = b""
    derivation: str = "PBKDF2"
    salt: bytes = b""
    iterations: int = 1024
    key_bytes: int = 16
    start_key: str = "SHA1"
    memory_kib: int = 0
    lanes: int = 1
    checksum: bytes = b""
    checksum_kind: str = ""


@dataclass(slots=True)
class _Manifest:
    locks: dict[str, _Lock] = field(default_factory=dict)
    member: str = ""
    lock: _Lock = field(default_factory=_Lock)

    def handlers(self) -> Handlers:
        return Handlers({
            "manifest:file-entry": self._entry,
            "manifest:encryption-data": self._encrypted,
            "manifest:algorithm": self._algorithm,
            "manifest:key-derivation": self._derivation,
            "manifest:start-key-generation": self._start_key,
        })  # fmt: skip

    def _entry(self, attributes: Attributes) -> None:
        self.member = normal_name(attributes.get("manifest:full-path", ""))

    def _encrypted(self, attributes: Attributes) -> None:
        self.lock = self.locks[self.member] = _Lock(
            checksum=_decoded(attributes.get("manifest:checksum", "")),
            checksum_kind=attributes.get("manifest:checksum-type", ""),
        )

    def _algorithm(self, attributes: Attributes) -> None:
        self.lock.algorithm = attributes.get("manifest:algorithm-name", "").lower()
        self.lock.vector = _decoded(attributes.get("manifest:initialisation-vector", ""))

    def _derivation(self, attributes: Attributes) -> None:
        lock = self.lock
        lock.derivation = attributes.get("manifest:key-derivation-name", "").lower()
        lock.salt = _decoded(attributes.get("manifest:salt", ""))
        lock.key_bytes = whole_number(attributes.get("manifest:key-size"), 16)
        lock.iterations = whole_number(
            attributes.get("manifest:iteration-count", attributes.get("loext:argon2-iterations")),
            1024,
        )
        lock.memory_kib = whole_number(attributes.get("loext:argon2-memory"), 0)
        lock.lanes = whole_number(attributes.get("loext:argon2-lanes"), 1)

    def _start_key(self, attributes: Attributes) -> None:
        self.lock.start_key = attributes.get("manifest:start-key-generation-name", "").lower()


@contextmanager
def opened_encrypted(
    package: Package, request: LoadRequest, cancel: CancelToken
) -> Iterator[Package]:
    """The package itself, or, if it is encrypted, one that decrypts what is read.

    Raises `LoadError` with reason encrypted: no password, a wrong one, or a way of encryption that
    is not known here.
    """
    manifest = _Manifest()
    try:
        package.read_whole(_MANIFEST, manifest.handlers(), cancel)
    except DamagedXmlError:
        yield package
        return
    if not manifest.locks and _WHOLE not in package:
        yield package
        return
    if request.password is None:
        raise _locked(request, "a password")
    unlocking = _Unlocked(package, manifest.locks, request)
    if _WHOLE not in package:
        unlocking.check("content.xml")
        yield unlocking
        return
    inner = replace(request, path=cast("Path", io.BytesIO(unlocking.plain(_WHOLE))))
    whole = Package(measured_zip(inner), request.name, request.max_inflated_bytes)
    try:
        yield whole
    finally:
        whole.close()


class _Unlocked(Package):
    """A package whose members are decrypted when they are opened."""

    def __init__(self, package: Package, locks: dict[str, _Lock], request: LoadRequest) -> None:
        self.name = package.name
        self.damage = package.damage
        self.meter = package.meter
        self._inner = package
        self._locks = locks
        self._request = request
        self._checked: dict[str, bytes] = {}

    def __contains__(self, member: str) -> bool:
        return member in self._inner

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def close(self) -> None:
        """The package that this one reads from is closed by whoever opened it."""

    @contextmanager
    def opened(self, member: str) -> Iterator[ByteStream]:
        if normal_name(member) in self._locks:
            yield io.BytesIO(self._checked.pop(member, b"") or self.plain(member))
        else:
            with self._inner.opened(member) as stream:
                yield stream

    def check(self, member: str) -> None:
        """Raise `LoadError` if the password does not open this member."""
        if normal_name(member) in self._locks:
            self._checked[member] = self.plain(member)

    def plain(self, member: str) -> bytes:
        lock = self._locks.get(normal_name(member), _Lock())
        sealed = self._inner.data(member, _MOST_BYTES)
        if sealed is None:
            raise DamagedXmlError(f"its part {member} is missing, damaged or too large")
        packed = _decrypted(sealed, lock, self._request)
        if member == _WHOLE:
            return packed
        return _inflated(packed, self._request)


def _decrypted(sealed: bytes, lock: _Lock, request: LoadRequest) -> bytes:
    ciphers = _library()
    key = _key(lock, request)
    if "gcm" in lock.algorithm:
        vector, sealed = sealed[:12], sealed[12:]
        try:
            return cast("bytes", ciphers.AESGCM(key).decrypt(vector, sealed, None))
        except ciphers.InvalidTag as error:
            raise _locked(request, "another password than the one given") from error
    if "aes" in lock.algorithm:
        cipher = ciphers.Cipher(ciphers.AES(key), ciphers.CBC(lock.vector))
    elif "blowfish" in lock.algorithm:
        cipher = ciphers.Cipher(ciphers.Blowfish(key), ciphers.CFB(lock.vector))
    else:
        raise _unknown(request)
    decryptor = cipher.decryptor()
    plain = cast("bytes", decryptor.update(sealed) + decryptor.finalize())
    if "aes" in lock.algorithm and plain and plain[-1] <= 16:
        plain = plain[: -plain[-1]]
    if not _fits(plain, lock):
        raise _locked(request, "another password than the one given")
    return plain


def _fits(plain: bytes, lock: _Lock) -> bool:
    """Whether the checksum, which is of the first kilobyte or of all, says that this is it."""
    if not lock.checksum:
        return True
    kind = lock.checksum_kind.lower()
    data = plain[:1024] if "1k" in kind else plain
    digest = hashlib.sha256(data) if "sha256" in kind else hashlib.sha1(data)  # noqa: S324
    return digest.digest() == lock.checksum


def _key(lock: _Lock, request: LoadRequest) -> bytes:
    password = (request.password or "").encode()
    is_sha256 = "sha256" in lock.start_key
    start = (hashlib.sha256(password) if is_sha256 else hashlib.sha1(password)).digest()  # noqa: S324
    if not 0 < lock.iterations <= _MOST_ITERATIONS or not 8 <= lock.key_bytes <= 64:
        raise _unknown(request)
    if "argon2id" in lock.derivation:
        if not 0 < lock.memory_kib <= _MOST_MEMORY_KIB or lock.iterations > _MOST_PASSES:
            raise _unknown(request)
        kdf = _library().Argon2id(
            salt=lock.salt, length=lock.key_bytes, iterations=lock.iterations,
            lanes=lock.lanes, memory_cost=lock.memory_kib,
        )  # fmt: skip
        return cast("bytes", kdf.derive(start))
    return hashlib.pbkdf2_hmac("sha1", start, lock.salt, lock.iterations, lock.key_bytes)


def _inflated(packed: bytes, request: LoadRequest) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, min(request.max_inflated_bytes, _MOST_BYTES) + 1)
    except zlib.error as error:
        raise _locked(request, "another password than the one given") from error
    if len(data) > min(request.max_inflated_bytes, _MOST_BYTES):
        raise LoadError(f"{request.name} inflates to more than is allowed.", reason="too large")
    return data


def _locked(request: LoadRequest, needs: str) -> LoadError:
    return LoadError(
        f"{request.name} is encrypted and needs {needs}.",
        reason="encrypted",
        hint="Give its password, or save a copy without one and add that.",
    )


def _unknown(request: LoadRequest) -> LoadError:
    return LoadError(
        f"{request.name} is encrypted in a way that cannot be opened here.",
        reason="encrypted",
        hint="Save a copy without a password and add that.",
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


class _Ciphers:
    """The names that are used of the library cryptography."""

    AES: Any
    AESGCM: Any
    Argon2id: Any
    Blowfish: Any
    CBC: Any
    CFB: Any
    Cipher: Any
    InvalidTag: Any


def _library() -> _Ciphers:
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CBC
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        try:
            from cryptography.hazmat.decrepit.ciphers.modes import CFB
        except ImportError:
            from cryptography.hazmat.primitives.ciphers.modes import CFB
    except ImportError as error:
        raise MissingDependencyError(
            "Opening an encrypted document needs the library cryptography, which is not installed.",
            hint="Install it: pip install 'inglenook[office]'",
        ) from error
    found = _Ciphers()
    found.AES, found.AESGCM, found.Argon2id, found.Blowfish = AES, AESGCM, Argon2id, Blowfish
    found.CBC, found.CFB, found.Cipher, found.InvalidTag = CBC, CFB, Cipher, InvalidTag
    return found
