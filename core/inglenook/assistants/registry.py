"""The assistants of an installation: registered by reference to their folder, or shipped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from inglenook.assistants.shipped import shipped_profiles
from inglenook.errors import StoreError, UserError

__all__ = [
    "AssistantRecord",
    "Forgotten",
    "Registration",
    "Registry",
    "find_profile_file",
    "require_name",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class AssistantRecord:
    """An assistant that can be asked by name.

    Args:
        name: The name.
        path: Its Assistantfile.
        shipped: Whether it comes with the program.
        model: What its FROM says; "" if the file cannot be read.
        problem: Why it cannot be used, or "".
        files: How many FILE lines it has.
        server: The address of the server that runs its model; "" if that is this program.
        remote: The host that its prompts go to; "" if they stay on this machine.
    """

    name: str
    path: Path
    shipped: bool
    model: str = ""
    problem: str = ""
    files: int = 0
    server: str = ""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a name stands for.

    Args:
        path: Its Assistantfile; of a damaged registration that registration's own file.
        shipped: Whether it comes with the program.
        problem: Why the registration cannot be used, or "".
    """

    path: Path
    shipped: bool = False
    problem: str = ""

    def profile(self) -> Path:
        """The Assistantfile, without links. Raises `StoreError` for a damaged registration."""
        if self.problem:
            raise StoreError(
                self.problem,
                hint=f"Take it away with `nook rm {self.path.stem}`, then run `nook create` again.",
            )
        return self.path.resolve()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went with a name.

    Args:
        name: The name.
        knowledge: The folder that was deleted, or None.
        prompts_bytes: How much was deleted of what runtimes had kept of prompts.
    """

    name: str
    knowledge: Path | None = None
    prompts_bytes: int = 0


class Registry:
    """Names of assistants, one small file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def paths(self) -> dict[str, Registration]:
        """What each name stands for; a registered name hides a shipped one.

        A damaged registration is among them with its problem: it costs only its own name.
        """
        found = {name: Registration(path, True) for name, path in shipped_profiles().items()}
        for file in sorted(self._folder.glob("*.json")):
            found[file.stem] = self._read(file)
        return found

    def add(self, name: str, profile: Path) -> None:
        """Register an assistant by reference to its file. The same name again replaces."""
        require_name(name)
        record = {"version": 1, "path": str(profile)}
        target = self._folder / f"{name}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".new")
            temporary.write_text(json.dumps(record) + "\n", "utf-8")
            temporary.replace(target)
        except OSError as error:
            raise StoreError(
                f"{target} cannot be written: {error.strerror}.",
                hint="Check permissions and free space, or set INGLENOOK_HOME.",
            ) from error

    def remove(self, name: str) -> bool:
        """Forget a registered name; whether there was one. The assistant's own files stay.

        The registration is not read, so a damaged one goes like any other.
        """
        if "/" in name or "\\" in name:
            return False  # A path is no name, and must not lead to a file elsewhere.
        try:
            (self._folder / f"{name}.json").unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"'{name}' could not be removed: {error.strerror}.") from error
        return True

    @staticmethod
    def _read(file: Path) -> Registration:
        try:
            path = json.loads(file.read_text("utf-8"))["path"]
        except KeyError:
            return Registration(file, problem=f"{file} is damaged: it names no Assistantfile.")
        except (OSError, ValueError, TypeError) as error:
            return Registration(file, problem=f"{file} is damaged: {error}.")
        if not isinstance(path, str) or "\0" in path or not Path(path).is_absolute():
            return Registration(file, problem=f"{file} is damaged: its path is not one.")
        return Registration(Path(path))


def require_name(name: str) -> None:
    """Raise `UserError` for what cannot be the name of an assistant."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"'{name}' cannot be the name of an assistant.",
            hint="Use lower-case letters, digits, `.`, `_` and `-`; begin with a letter or digit.",
        )


def find_profile_file(text: str) -> Path | None:
    """The Assistantfile that a path names, itself or in that folder; None if it is no path."""
    path = Path(text).expanduser()
    looks_like_path = text.startswith((".", "~", "/", "\\")) or "\\" in text
    if path.is_file() and (looks_like_path or path.name in ("Assistantfile", "Modelfile")):
        return path.resolve()
    if path.is_dir() and (looks_like_path or "/" in text):
        for name in ("Assistantfile", "Modelfile"):
            if (path / name).is_file():
                return (path / name).resolve()
    if looks_like_path:
        raise UserError(
            f"There is no Assistantfile at {text}.", hint="Name the file itself or its folder."
        )
    return None
