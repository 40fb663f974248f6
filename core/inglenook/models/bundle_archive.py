"""The file of a bundle: an uncompressed tar that is written all at once and read in one pass.

The reader takes nothing from the archive but bytes: which member comes next, how long it is and
what its sha256 is, it knows from `bundle.json`. Whatever else stands there is refused. Format:
POSIX.1-1988 (`ustar`) with GNU's form of sizes from 8 GiB on.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inglenook.errors import StoreError, UserError
from inglenook.models.bundle_contents import Contents, Member, parse_contents
from inglenook.models.storage import PIECE_BYTES, disk_errors, make_durable, require_space
from inglenook.profiles.problems import shown

__all__ = ["BundleReader", "Written", "write_bundle"]

_CONTENTS = "bundle.json"
_BLOCK_BYTES = tarfile.BLOCKSIZE
_LARGEST_CONTENTS_BYTES = 64 * 1024 * 1024
_END = bytes(2 * _BLOCK_BYTES)
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link",
    tarfile.DIRTYPE: "a folder",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of a bundle was written: `done` of `total` bytes."""

    done: int
    total: int


# --- writing --------------------------------------------------------------------------------------


def write_bundle(
    target: Path, contents: Contents, sources: Mapping[str, Path], *, replace: bool
) -> Iterator[Written | str]:
    """Write a bundle; it gets its name when all of it is on the disk. Ends in its own sha256.

    Args:
        target: The file.
        contents: What is in it.
        sources: The sha256 of a member -> the file with these bytes, which are checked.
        replace: Whether a file of that name may be replaced.

    Raises `StoreError` if it cannot be written, or if a file is not what `contents` says.
    """
    first = contents.as_bytes()
    if len(first) > _LARGEST_CONTENTS_BYTES:
        raise UserError(
            "There are too many files for one bundle.", hint="Export them in several bundles."
        )
    digest, done = hashlib.sha256(), 0
    total = contents.size_bytes + len(first)
    with _writing(target):
        _require_room(target.parent, total + _BLOCK_BYTES * (2 * len(contents.members) + 4))
        with _appearing(target, replace=replace) as file:

            def put(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            put(_header(_CONTENTS, len(first)) + first + _padding(len(first)))
            yield Written(len(first), total)
            for member in contents.members:
                put(_header(member.name, member.size_bytes))
                for piece in _checked(sources[member.sha256], member):
                    put(piece)
                    done += len(piece)
                    yield Written(len(first) + done, total)
                put(_padding(member.size_bytes))
            put(_END)
    yield digest.hexdigest()


def _require_room(folder: Path, needed_bytes: int) -> None:
    try:
        require_space(folder, needed_bytes)
    except StoreError as error:
        hint = "Free some space, or name a file on a larger disk."
        raise StoreError(error.message, hint=hint) from None


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """An error of the disk is one about the bundle, whatever file has it for the moment."""
    try:
        with disk_errors(target):
            yield
    except StoreError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = error.message.rpartition(": ")[2]  # It ends in what the system says.
        raise StoreError(
            f"{target} cannot be written: {reason}",
            hint="Free some space, or name a file in another folder. Nothing was left there.",
        ) from error


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK_BYTES)


def _checked(path: Path, member: Member) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    for piece in _pieces_of(path):
        digest.update(piece)
        size += len(piece)
        if size <= member.size_bytes:
            yield piece
    if size != member.size_bytes or digest.hexdigest() != member.sha256:
        raise StoreError(
            f"{path} is not what it was: it should have the sha256 {member.sha256} and has "
            f"{digest.hexdigest()}.",
            hint="A document may have been changed just now: export again. For a model see: "
            "nook verify",
        )


def _pieces_of(path: Path) -> Iterator[bytes]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            while piece := file.read(PIECE_BYTES):
                yield piece
        except OSError as error:
            raise StoreError(
                f"{path} cannot be read: {error.strerror or error}.", hint="Check the file."
            ) from None


@contextmanager
def _appearing(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends well; before that there is nothing to see."""
    nameless = _open_nameless(target.parent)
    beside = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.partial")
    if nameless is None:
        try:
            with beside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _give_name(beside, target, replace=replace)
        finally:
            beside.unlink(missing_ok=True)
        return
    with nameless as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        if not replace:
            _link_open_file(file, target)
            make_durable(target.parent)
            return
        try:
            _link_open_file(file, beside)
            _give_name(beside, target, replace=True)
        finally:
            beside.unlink(missing_ok=True)


def _open_nameless(folder: Path) -> BinaryIO | None:
    """A file without a name, which even a kill cannot leave behind; None where there are none."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.fdopen(os.open(folder, flag | os.O_RDWR, 0o666), "w+b")
    except OSError:
        return None  # Not every file system has them; one that is full or read-only says so next.


def _link_open_file(file: BinaryIO, path: Path) -> None:
    # With a folder's descriptor Python asks the system to follow the link in /proc.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder)
    except FileExistsError:
        raise _exists(path) from None
    finally:
        os.close(folder)


def _give_name(source: Path, target: Path, *, replace: bool) -> None:
    if not replace and target.exists():
        raise _exists(target)
    source.replace(target)
    make_durable(target.parent)


def _exists(target: Path) -> StoreError:
    return StoreError(f"{target} has come into being meanwhile.", hint="Replace it with --force.")


# --- reading --------------------------------------------------------------------------------------


class BundleReader:
    """Reads a bundle from its beginning to its end, once.

    Args:
        stream: The bundle; it need not be a file.
        name: What messages call it.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._contents: Contents | None = None

    def contents(self) -> Contents:
        """What the bundle says of itself. Call it first.

        Raises `UserError` if this is no bundle, `StoreError` if it is damaged.
        """
        block = self._some(_BLOCK_BYTES)
        header = _parsed(block)
        if header is None or header.name != _CONTENTS or header.type not in _PLAIN:
            raise UserError(
                f"{self._name} is not a bundle.", hint="Bundles are made by: nook export"
            )
        if not 0 < header.size <= _LARGEST_CONTENTS_BYTES:
            raise self._damaged(f"its bundle.json is said to have {header.size:,} bytes")
        data = self._exactly(header.size, _CONTENTS)
        self._contents = parse_contents(data, self._name)
        self._skip_padding(header.size, _CONTENTS)
        return self._contents

    def pieces(self) -> Iterator[tuple[Member, bytes]]:
        """The members in their order, piece by piece; an empty one gives one empty piece.

        A member is as it should be once the next one has begun or the iterator has ended. Raises
        `StoreError` that names the first one that is not as `bundle.json` says.
        """
        assert self._contents is not None, "contents() comes first"
        listed = {member.name for member in self._contents.members}
        seen = {_CONTENTS}
        for member in self._contents.members:
            self._check_header(member, listed, seen)
            seen.add(member.name)
            for piece in self._read(member):
                yield member, piece
        self._check_end(listed, seen)

    def _check_header(self, member: Member, listed: set[str], seen: set[str]) -> None:
        block = self._exactly(_BLOCK_BYTES, member.name)
        header = _parsed(block)
        if header is None:
            ends = "the archive ends" if not any(block) else "no member begins"
            raise self._damaged(f"{ends} where {member.name} should begin")
        wrong = _refusal(header, listed, seen)
        if wrong:
            raise self._damaged(wrong)
        if header.name != member.name:
            raise self._damaged(f"{header.name} stands where {member.name} should")
        if header.size != member.size_bytes:
            raise self._damaged(
                f"{member.name} is said to have {header.size:,} bytes and should have "
                f"{member.size_bytes:,}"
            )

    def _read(self, member: Member) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), member.size_bytes
        if not left:
            yield b""
        while left:
            piece = self._some(min(left, PIECE_BYTES))
            if not piece:
                raise self._cut_off(member.name, member.size_bytes - left, member.size_bytes)
            digest.update(piece)
            left -= len(piece)
            yield piece
        if digest.hexdigest() != member.sha256:
            raise self._damaged(
                f"{member.name} has the sha256 {digest.hexdigest()} and not the one of its name"
            )
        self._skip_padding(member.size_bytes, member.name)

    def _check_end(self, listed: set[str], seen: set[str]) -> None:
        block = self._exactly(_BLOCK_BYTES, "its end")
        header = _parsed(block)
        if header is not None:
            raise self._damaged(_refusal(header, listed, seen) or "it goes on behind its end")
        rest = block + self._exactly(_BLOCK_BYTES, "its end")
        while rest:
            if any(rest):
                raise self._damaged("something stands behind its end")
            rest = self._some(PIECE_BYTES)

    def _skip_padding(self, size: int, name: str) -> None:
        if any(self._exactly(-size % _BLOCK_BYTES, name)):
            raise self._damaged(f"something stands between {name} and the next member")

    def _exactly(self, size: int, name: str) -> bytes:
        pieces, left = [], size
        while left:
            piece = self._some(left)
            if not piece:
                raise self._cut_off(name, size - left, size)
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _some(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise StoreError(
                f"{self._name} cannot be read: {error.strerror or error}.",
                hint="Check the file, or copy it anew. Nothing was kept.",
            ) from error

    def _cut_off(self, name: str, has: int, needs: int) -> StoreError:
        return self._damaged(f"it is cut off in {name}, after {has:,} of {needs:,} bytes")

    def _damaged(self, wrong: str) -> StoreError:
        return StoreError(
            f"{self._name} is damaged: {wrong}.",
            hint="Copy it anew, or export it again. Nothing was kept.",
        )


def _parsed(block: bytes) -> tarfile.TarInfo | None:
    """The header in a block of the archive; None if there is none."""
    with suppress(tarfile.HeaderError):
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    return None


def _refusal(header: tarfile.TarInfo, listed: set[str], seen: set[str]) -> str:
    """Why a member cannot be taken, whatever should stand there; "" if it may be."""
    name = shown(header.name, 120)
    if header.type not in _PLAIN:
        kind = _KINDS.get(header.type, f"of the kind {header.type!r}")
        return f"it holds {name}, which is {kind}; only plain files are taken"
    if header.name in seen:
        return f"it holds {name} twice"
    if header.name not in listed:
        return f"it holds {name}, which its bundle.json does not list"
    return ""
