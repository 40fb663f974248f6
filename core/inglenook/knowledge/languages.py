"""Tells from a text's letters and commonest words which language it is in, without any model.

It is a guess for advice, such as which embedder to take: scripts of one language are certain, and
for the Latin and Cyrillic ones the words that every sentence has decide. What it cannot tell, it
does not name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from inglenook.types import Notice

if TYPE_CHECKING:
    from inglenook.knowledge.catalog import Catalog

__all__ = ["ADVICE", "embedder_advice", "language_of", "language_shares", "sample_of"]

ADVICE = "embedder-language"
"""The code of the notice about an embedder that does not know the documents' language."""

_NAMES: Mapping[str, str] = {
    "am": "Amharic",
    "ar": "Arabic",
    "bn": "Bengali",
    "bg": "Bulgarian",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "lo": "Lao",
    "ml": "Malayalam",
    "my": "Burmese",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "si": "Sinhala",
    "sv": "Swedish",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

_LATIN, _CYRILLIC, _ARABIC, _HAN = "latin", "cyrillic", "arabic", "han"
_SCRIPTS = (
    # From this code point on: the language, or a script that several languages share.
    (0x0041, _LATIN),
    (0x0250, ""),
    (0x0370, "el"),
    (0x0400, _CYRILLIC),
    (0x0530, "hy"),
    (0x0590, "he"),
    (0x0600, _ARABIC),
    (0x0700, ""),
    (0x0750, _ARABIC),
    (0x0780, ""),
    (0x08A0, _ARABIC),
    (0x0900, "hi"),
    (0x0980, "bn"),
    (0x0A00, "pa"),
    (0x0A80, "gu"),
    (0x0B00, ""),
    (0x0B80, "ta"),
    (0x0C00, "te"),
    (0x0C80, "kn"),
    (0x0D00, "ml"),
    (0x0D80, "si"),
    (0x0E00, "th"),
    (0x0E80, "lo"),
    (0x0F00, ""),
    (0x1000, "my"),
    (0x10A0, "ka"),
    (0x1100, "ko"),
    (0x1200, "am"),
    (0x13A0, ""),
    (0x1780, "km"),
    (0x1800, ""),
    (0x1E00, _LATIN),
    (0x1F00, "el"),
    (0x2000, ""),
    (0x3040, "ja"),
    (0x3100, ""),
    (0x3130, "ko"),
    (0x3190, ""),
    (0x3400, _HAN),
    (0xA000, ""),
    (0xAC00, "ko"),
    (0xD7B0, ""),
    (0xF900, _HAN),
    (0xFB00, _LATIN),
    (0xFB13, "hy"),
    (0xFB1D, "he"),
    (0xFB50, _ARABIC),
    (0xFE00, ""),
    (0xFE70, _ARABIC),
    (0xFF00, ""),
    (0xFF21, _LATIN),
    (0xFF5B, ""),
    (0xFF66, "ja"),
    (0xFFA0, "ko"),
    (0xFFDD, ""),
    (0x20000, _HAN),
    (0x32000, ""),
)
_STARTS = tuple(start for start, _ in _SCRIPTS)
_COMMONEST = {
    _LATIN: {
        "cs": "a aby ale byl být co do i jako je jeho jsou již k který která které na nebo o od po "
        "pod podle pro při s se si tak také v ve z za že",
        "da": "af alle at blev de den der det efter eller en er et for fra har hun i ikke jeg kan "
        "man med men nogle og også om på sig skal som til være var ved vil",
        "de": "auch auf aus bei das dem den der des die durch ein eine einem einen einer es für "
        "hat im in ist mit nach nicht oder sich sie sind über und von war werden wird zu zum zur",
        "en": "a an and are as at be been by for from has have in is it its not of on or that the "
        "their they this to was were which will with you",
        "es": "al como con de del el en entre es esta este fue ha la las lo los más no o para pero "
        "por que se sin sobre son su sus un una y ya",
        "fi": "ei eli että hän ja jos joka jotka kanssa kuin kun mukaan mutta myös ne niin oli "
        "olivat on ovat sekä se tai vain voi",
        "fr": "à au aux avec ce cette dans de des du elle en est et il ils la le les leur mais ne "
        "ou par pas plus pour que qui sa se son sont sur un une été",
        "hu": "a az csak de egy és hogy is ki le lehet már meg mint nem ő pedig s szerint több "
        "vagy van volt",
        "id": "ada adalah akan atau bagi dalam dan dapat dari dengan di dia ini itu juga kami "
        "karena ke kepada mereka oleh pada saat sebagai tidak untuk yang",
        "it": "ai al alla anche che con da dal dalla degli dei del della delle di e è gli ha i il "
        "in la le lo nel nella non o per più si sono su un una",
        "nl": "aan als bij de deze die dit door een en er haar heeft het hij in is maar met naar "
        "niet nog of om ook op over te tot uit van voor was werd worden wordt zich zijn",
        "no": "at av ble da de den det eller en er et etter for fra har hun i ikke jeg kan med men "
        "noen og også om på seg skal som til var ved være vil å",
        "pl": "a ale być był była co czy dla do i ich jak jako jego jest już która które który lub "
        "ma na nie o od oraz po pod przez przy się są to w z za ze że",
        "pt": "a ao aos as com como da das de do dos e é ele em entre foi mais mas na não nas no "
        "nos o os ou para pela pelo por que se sem ser seu sua são um uma",
        "ro": "a al ale au ca care ce cu de din după este fi fost în iar la lui mai nu o pe pentru "
        "prin sau se și sunt un unei unui",
        "sv": "att av de den det efter eller en ett från för han har hon i inte jag kan men med "
        "och också om på sig ska som till under var vid vara är",
        "tr": "ama bir bu da daha de değil en gibi göre her için ile ise kadar olan olarak oldu "
        "olduğu ve veya ya",
        "vi": "bị cho các có của cũng đã đến để được hay không khi là một năm người như này những "
        "ở ra sẽ tại theo thì trong từ và về với",
    },
    _CYRILLIC: {
        "bg": "беше в във да до е за и им като които който на не но от по през с са са се след със "
        "това тази че",
        "ru": "а был была были в во для до его же за и из или как к который на не но о от по при с "
        "со так также то что это",
        "uk": "а або але було в від він до для з за і й із його на не о по при про та так також "
        "у цей це що як який які",
    },
    _ARABIC: {
        "ar": "أن إلى التي الذي أو بعد بين على عن في كان كانت لا ما مع من هذا هذه هو هي و ولا",
        "fa": "آن از است این با بر برای بود به تا در را شد شده که می‌شود نیز هر و یا یک",
        "ur": "اس اور ایک پر تھا تھے تھی جو سے کا کر کو کی کے کیا میں نے نہیں ہے ہیں یہ",
    },
}
_WORD = re.compile(r"[^\W\d_]+(?:\u200c[^\W\d_]+)*")
_LEAST_LETTERS = 12
_MUCH = 0.25
"""From this share of the letters on, a language that the embedder does not know is told of."""
_LEAST_WORDS = 3
_LEAST_SHARE = 0.08
"""Of the words of a running text in a language, at least so many are among its commonest."""
_LEAD = 1.15
_MOST_PASSAGES = 200
"""So many, from all over, tell the languages of a knowledge base within a few percent."""
_OF_KANA = 0.05
"""Japanese is Han with kana; Chinese has none."""
_USUALLY = {_LATIN: "", _CYRILLIC: "ru", _ARABIC: "ar"}
"""What to take where the words do not decide; a Latin text may as well be a table or a program."""


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language that most of the text is in; "" if that is not clear."""
    scripts = _scripts(text)
    letters = sum(scripts.values())
    if letters < _LEAST_LETTERS:
        return ""
    if scripts["ja"] >= _OF_KANA * letters and scripts["ja"] + scripts[_HAN] > letters / 2:
        return "ja"
    script, count = scripts.most_common(1)[0]
    if count <= letters / 2:
        return ""
    if script == _HAN:
        return "zh"
    return _by_words(text, script) if script in _COMMONEST else script


def language_shares(texts: Iterable[str]) -> dict[str, float]:
    """Language -> its share of the letters of all texts, largest first; "" for what is not clear.

    Each text is judged by itself, so give passages rather than whole books.
    """
    letters: Counter[str] = Counter()
    for text in texts:
        letters[language_of(text)] += sum(map(str.isalpha, text))
    whole = letters.total()
    return {code: count / whole for code, count in letters.most_common() if count}


def embedder_advice(
    texts: Iterable[str], embedder: str, languages: Collection[str]
) -> Notice | None:
    """What to do if an embedder does not know the language of much of the text.

    Args:
        texts: Passages from all over the documents.
        embedder: What the profile calls it.
        languages: ISO 639-1 codes of what it was trained for; empty means any.
    """
    if not languages:
        return None
    shares = language_shares(texts)
    foreign = {code: s for code, s in shares.items() if code and code not in languages}
    whole = sum(foreign.values())
    if whole < _MUCH:
        return None
    names = " and ".join(_NAMES.get(code, code) for code in list(foreign)[:2])
    return Notice(
        ADVICE,
        f"{names}: {whole:.0%} of the text, and the embedder {embedder} does not know it, so"
        " searching by meaning works badly there. Better: write `EMBEDDER e5` into the"
        " Assistantfile, then run `nook pull e5` and `nook ingest` again.",
    )


def sample_of(catalog: Catalog) -> Iterator[str]:
    """Texts of chunks from all over a catalog; the work does not grow with its size."""
    ends = [
        key
        for order in ("ASC", "DESC")
        for (key,) in catalog.live("key", f"1 ORDER BY key {order} LIMIT 1")
    ]
    if not ends:
        return
    first, last = ends
    reached = first - 1
    for place in range(first, last + 1, max(1, (last - first) // _MOST_PASSAGES)):
        for key, text in catalog.live("key, text", "key >= ? ORDER BY key LIMIT 1", (place,)):
            if key > reached:
                reached = key
                yield text


def _scripts(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if character.isalpha():
            place = bisect_right(_STARTS, ord(character)) - 1
            found[_SCRIPTS[place][1] if place >= 0 else ""] += count
    return found


def _by_words(text: str, script: str) -> str:
    words = Counter(_WORD.findall(text.lower()))
    total = words.total()
    scores = sorted(
        (
            (sum(words[word] for word in set(common.split())), code)
            for code, common in _COMMONEST[script].items()
        ),
        reverse=True,
    )
    (best, code), (second, _) = scores[:2]
    clear = best >= max(_LEAST_WORDS, _LEAST_SHARE * total) and best >= _LEAD * second
    return code if clear else _USUALLY[script]
