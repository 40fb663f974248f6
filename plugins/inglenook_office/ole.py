"""Documents inside an OLE container: encrypted Office Open XML, and the formats of before 2007."""

from __future__ import annotations

import io
import re
import struct
from importlib import import_module
from typing import Any

from inglenook.errors import LoadError, MissingDependencyError
from inglenook.types import LoadRequest

__all__ = ["OLE_MAGIC", "container_of", "decrypted", "decrypted_old", "stream_of"]

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_MOST_BYTES = 1_000_000_000
_ROUNDS = re.compile(rb"spinCount\s*=\s*[\"']0*(\d{1,18})")
_HEADER_BYTES, _SMALLEST_SECTOR_BYTES = 512, 512
_MOST_ROUNDS = 2_000_000
_MOST_ROUNDS_OF_A_GUESS = 100_000
_DEFAULT_PASSWORD = "VelvetSweatshop"
"""What Excel encrypts with where it asks for no password to open ([MS-OFFCRYPTO] 2.4.2.3)."""


def container_of(request: LoadRequest) -> bytes | None:
    """The bytes of a document of before 2007; None if it is an encrypted newer one.

    Raises `LoadError`: unreadable, too large.
    """
    data = _bytes_of(request)
    return None if _ENCRYPTED_PACKAGE in data else data


def decrypted(request: LoadRequest) -> bytes:
    """The zip file inside, decrypted with `request.password`; it stays in memory.

    Raises `LoadError`: encrypted (no password, or a wrong one), unsupported (an old document under
    a new name), broken, too large.
    """
    data = _bytes_of(request)
    if _ENCRYPTED_PACKAGE not in data:
        raise LoadError(
            f"{request.name} is a document of before Office 2007 under a newer name.",
            reason="unsupported",
            hint="Open it in an office program and save it in the newer format.",
        )
    return decrypted_old(data, request)


def stream_of(data: bytes, names: tuple[str, ...], request: LoadRequest) -> bytes:
    """A stream of the container, by any of its names. Raises `LoadError`: broken."""
    olefile = _library("olefile")
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            name = next((name for name in names if container.exists(name)), "")
            if _claims_too_much(data) or (name and container.get_size(name) > len(data)):
                raise _broken(request, "is damaged")
            if name:
                with container.openstream(name) as stream:
                    return bytes(stream.read())
    except LoadError:
        raise
    except Exception as error:
        # The library raises whatever a damaged container happens to break.
        raise _broken(request, "is damaged") from error
    raise _broken(request, f"holds no {names[0]}")


def _claims_too_much(data: bytes) -> bool:
    """Whether a container says that its tables have more sectors than it has ([MS-CFB] 2.2)."""
    counts = struct.unpack_from("<II16xI4xI", data.ljust(_HEADER_BYTES, b"\0"), 0x28)
    return any(count > len(data) // _SMALLEST_SECTOR_BYTES for count in counts)


def decrypted_old(data: bytes, request: LoadRequest) -> bytes:
    """The document in an encrypted container. Raises `LoadError`: encrypted, broken."""
    is_guess = request.password is None
    if _rounds(data, request) > (_MOST_ROUNDS_OF_A_GUESS if is_guess else _MOST_ROUNDS):
        raise _locked(request)
    # Without a password it may still be the one that everybody knows.
    password = _DEFAULT_PASSWORD if request.password is None else request.password
    crypto = _library("msoffcrypto")
    errors = _library("msoffcrypto.exceptions")
    plain = io.BytesIO()
    try:
        document = crypto.OfficeFile(io.BytesIO(data))
        document.load_key(password=password)
        document.decrypt(plain)
    except (errors.InvalidKeyError, errors.DecryptionError) as error:
        raise _locked(request) from error
    except Exception as error:
        # The library raises whatever a damaged container happens to break.
        if request.password is None:
            raise _locked(request) from error
        raise _broken(request, "is encrypted and damaged: it cannot be decrypted") from error
    if not plain.getvalue().startswith((b"PK", OLE_MAGIC)):
        raise _locked(request)
    return plain.getvalue()


def _rounds(data: bytes, request: LoadRequest) -> int:
    """How often the password is hashed; what takes minutes is not tried."""
    if _ENCRYPTED_PACKAGE not in data:
        return 0
    stated = _ROUNDS.search(stream_of(data, ("EncryptionInfo",), request))
    return int(stated[1]) if stated else 0


def _locked(request: LoadRequest) -> LoadError:
    needs = "a password" if request.password is None else "another password than the one given"
    return LoadError(
        f"{request.name} is encrypted and needs {needs}.",
        reason="encrypted",
        hint="Give its password, or save a copy without one and add that.",
    )


def _broken(request: LoadRequest, what: str) -> LoadError:
    return LoadError(
        f"{request.name} {what}.",
        reason="broken",
        hint="Open it in the program that made it and save it again.",
    )


def _bytes_of(request: LoadRequest) -> bytes:
    try:
        size = request.path.stat().st_size
        if size > min(_MOST_BYTES, request.max_inflated_bytes):
            raise LoadError(f"{request.name} has {size:,} bytes.", reason="too large")
        return request.path.read_bytes()
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            "Opening encrypted and old documents needs the library msoffcrypto-tool, which is not"
            " installed.",
            hint="Install it: pip install 'inglenook[office]'",
        ) from error
