"""Holds back the text of an answer until something in it is carried by the documents.

A sentence that was shown cannot be taken back. So nothing is shown before one sentence is known to
be supported; from then on the text flows, or, where the profile drops what has no support, goes
on sentence by sentence.
"""

from __future__ import annotations

from inglenook.assistants.citations import Citer
from inglenook.assistants.sentences import sentence_spans

__all__ = ["Gate"]

AHEAD = 12
"""How many characters must follow a sentence before its end is certain."""


class Gate:
    """Lets through what may be shown of one answer.

    Args:
        citer: Judges sentences; None lets everything through at once.
        drops: Whether a sentence without support is left out for good.
    """

    def __init__(self, citer: Citer | None, *, drops: bool = False) -> None:
        self._citer = citer
        self._drops = drops
        self._said: list[str] = []
        self._held = ""
        self._kept = ""
        self._begun = False
        self._judged = 0
        self.opened = citer is None
        self.dropped = 0
        self.claims_nothing = True

    @property
    def whole(self) -> str:
        """All that was fed."""
        return "".join(self._said)

    def feed(self, text: str) -> str:
        """Take the next piece; give out what may be shown now."""
        self._said.append(text)
        self._held += text
        if self._citer is None or (self.opened and not self._drops):
            return self.release()
        return self._sentences(self._held, final=False)

    def finish(self) -> str:
        """The rest of the answer, as far as it may be shown; "" while nothing is supported."""
        shown = self._sentences(self._held, final=True) if self._citer else ""
        if self.opened and not self._drops:
            shown += self.release()
        return shown

    def release(self) -> str:
        """Give out everything that is held, whatever it is worth."""
        shown = self._kept + self._held
        self._held, self._kept, self._judged = "", "", 0
        return shown

    def _sentences(self, text: str, *, final: bool) -> str:
        """Judge the sentences that are whole; give out what that lets through."""
        assert self._citer is not None
        done = 0
        for start, end in sentence_spans(text):
            if start < self._judged:
                continue
            if not final and len(text) < end + AHEAD:
                break
            supported = self._citer.sentence(text[start:end], start, end).supported
            self.opened = self.opened or supported is True
            self.claims_nothing = self.claims_nothing and supported is None
            if not self._drops:
                self._judged = end
                if self.opened:
                    return self.release()
            else:
                self._keep(text[done:end], supported)
                done = end
        self._held = text[done:]
        kept, self._kept = (self._kept, "") if self.opened else ("", self._kept)
        return kept

    def _keep(self, sentence: str, supported: bool | None) -> None:
        if supported is False:
            self.dropped += 1
            return
        self._kept += sentence if self._begun else sentence.lstrip()
        self._begun = True
