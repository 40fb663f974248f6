"""Documents inside an OLE container: encrypted Office Open XML, and the formats of before 2007."""

from __future__ import annotations

import io
from typing import Any

from inglenook.errors import LoadError, MissingDependencyError
from inglenook.types import LoadRequest

__all__ = ["OLE_MAGIC", "decrypted", "is_encrypted_package"]

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_MOST_BYTES = 1_000_000_000


def is_encrypted_package(data: bytes) -> bool:
    """Whether this OLE container holds an encrypted document ([MS-OFFCRYPTO] 2.3.4.1)."""
    return _ENCRYPTED_PACKAGE in data


def decrypted(request: LoadRequest) -> bytes:
    """The document inside, decrypted with `request.password`; it stays in memory.

    Raises `LoadError`: encrypted (no password, or a wrong one), unsupported (an old document under
    a new name), broken, too large.
    """
    data = _bytes_of(request)
    if not is_encrypted_package(data):
        raise LoadError(
            f"{request.name} is a document of before Office 2007 under a newer name.",
            reason="unsupported",
            hint="Open it in an office program and save it in the newer format.",
        )
    if request.password is None:
        raise LoadError(
            f"{request.name} is encrypted and needs a password.",
            reason="encrypted",
            hint="Give its password, or save a copy without one and add that.",
        )
    return _decrypted(data, request, request.password)


def _decrypted(data: bytes, request: LoadRequest, password: str) -> bytes:
    crypto = _library()
    plain = io.BytesIO()
    try:
        document = crypto.OfficeFile(io.BytesIO(data))
        document.load_key(password=password)
        document.decrypt(plain)
    except (crypto.exceptions.InvalidKeyError, crypto.exceptions.DecryptionError) as error:
        raise _wrong_password(request) from error
    except Exception as error:
        # The library raises whatever a damaged container happens to break.
        raise LoadError(
            f"{request.name} is encrypted and damaged: it cannot be decrypted.",
            reason="broken",
            hint="Open it in the program that made it and save it again.",
        ) from error
    if not plain.getvalue().startswith(b"PK"):
        raise _wrong_password(request)
    return plain.getvalue()


def _wrong_password(request: LoadRequest) -> LoadError:
    return LoadError(
        f"{request.name} is encrypted and needs another password than the one given.",
        reason="encrypted",
        hint="Give its password, or save a copy without one and add that.",
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


def _library() -> Any:
    try:
        import msoffcrypto
        import msoffcrypto.exceptions
    except ImportError as error:
        raise MissingDependencyError(
            "Opening an encrypted document needs the library msoffcrypto-tool, which is not"
            " installed.",
            hint="Install it: pip install 'inglenook[office]'",
        ) from error
    return msoffcrypto
