"""The process that a part runs in: `python -m inglenook.processes.worker_main`.

It speaks `worker_protocol` over its standard input and output. Whatever native code prints goes to
standard error, which the parent points at a log file. The end of its input ends the process.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from importlib import import_module
from typing import Any

from inglenook.errors import InglenookError, PluginError, RuntimeFailure
from inglenook.privacy import silence_telemetry
from inglenook.processes.limits import apply_limits
from inglenook.processes.worker_protocol import (
    Call,
    CancelCall,
    Construct,
    Ended,
    Event,
    Frames,
    Raised,
    Value,
)
from inglenook.types import CancelToken

CLOSE_S = 1.0


def main() -> None:
    silence_telemetry()
    # Ctrl-C in the terminal is the parent's business: it cancels the answer, not the model.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    served = _Served(_take_pipes())
    served.run()
    served.close()
    # Native threads may still run: a normal exit would wait for them or crash in them.
    os._exit(0)


def _take_pipes() -> Frames:
    """Keep the pipes for messages and point descriptors 0 and 1 away from them."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Frames(source, sink)


class _Served:
    """The part of this process, and its calls, each in a thread so that a cancel is heard."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._construct: Construct | None = None
        self._part: Any = None
        self._making = threading.Lock()
        self._cancels: dict[int, CancelToken] = {}

    def run(self) -> None:
        """Serve until the input ends."""
        while (message := self._frames.receive()) is not None:
            match message:
                case Construct():
                    # Before any thread runs: some limits hold for single-threaded programs only.
                    apply_limits(message.limits)
                    self._construct = message
                case Call():
                    if message.streams:
                        self._cancels[message.id] = CancelToken()
                    threading.Thread(target=self._serve, args=(message,), daemon=True).start()
                case CancelCall():
                    if message.id in self._cancels:
                        self._cancels[message.id].cancel()

    def close(self) -> None:
        """Let the part clean up after itself, for as long as a person would wait."""
        for token in tuple(self._cancels.values()):
            token.cancel()
        if self._part is not None:
            closing = threading.Thread(target=self._part.close, daemon=True)
            closing.start()
            closing.join(CLOSE_S)

    def _serve(self, call: Call) -> None:
        try:
            if call.streams:
                self._stream(call)
            else:
                value = getattr(self._made(), call.method)(*call.arguments, **call.keywords)
                self._frames.send(Value(call.id, value))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            quiet = self._construct is not None and self._construct.quiet
            if not isinstance(error, InglenookError) and not quiet:
                traceback.print_exc()
            self._raise(call, _portable(error, self._name))
        finally:
            self._cancels.pop(call.id, None)

    def _stream(self, call: Call) -> None:
        cancel = self._cancels[call.id]
        for event in getattr(self._made(), call.method)(*call.arguments, cancel, **call.keywords):
            self._frames.send(Event(call.id, event))
        self._frames.send(Ended(call.id))

    def _raise(self, call: Call, error: Exception) -> None:
        try:
            self._frames.send(Raised(call.id, error))
        except OSError:
            # The parent is gone; the end of the input ends this process.
            return
        except (pickle.PicklingError, TypeError, AttributeError):
            # The error holds something that cannot travel: its text can.
            self._frames.send(Raised(call.id, RuntimeFailure(str(error))))

    @property
    def _name(self) -> str:
        return self._construct.load if self._construct else "The worker"

    def _made(self) -> Any:
        with self._making:
            if self._part is None:
                if self._construct is None:
                    raise RuntimeFailure("The worker was called before it was told what to run.")
                self._part = _find(self._construct.load)(*self._construct.arguments)
            return self._part


def _find(load: str) -> Any:
    module, _, name = load.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise PluginError(f"There is no {name} in {module}.") from None


def _portable(error: Exception, name: str) -> InglenookError:
    """The error as one that the parent has a class for."""
    if isinstance(error, InglenookError):
        return error
    if isinstance(error, ImportError):
        return PluginError(f"{name} cannot be imported: {error}")
    return RuntimeFailure(f"{name} failed: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
