"""Which language a text is in is told from its letters and words, and advice follows from it."""

from __future__ import annotations

import pytest

from inglenook.knowledge.languages import embedder_advice, language_of, language_shares

PASSWORDS = {
    "ar": "يجب أن تتكون كلمة المرور من أربعة عشر حرفًا على الأقل، ولا يجوز مشاركتها مع الآخرين.",
    "cs": "Heslo musí mít alespoň čtrnáct znaků a nesmí se sdílet s ostatními, ani když se chce.",
    "de": "Das Passwort muss mindestens vierzehn Zeichen lang sein und darf nicht mit anderen"
    " geteilt werden.",
    "el": "Ο κωδικός πρόσβασης πρέπει να έχει τουλάχιστον δεκατέσσερις χαρακτήρες.",
    "en": "The password must have at least fourteen characters and may not be shared with others.",
    "es": "La contraseña debe tener al menos catorce caracteres y no se puede compartir con los"
    " demás.",
    "fa": "رمز عبور باید حداقل چهارده نویسه باشد و نباید با دیگران به اشتراک گذاشته شود.",
    "fr": "Le mot de passe doit comporter au moins quatorze caractères et ne pas être partagé avec"
    " les autres.",
    "he": "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים ואין לשתף אותה עם אחרים.",
    "hi": "पासवर्ड कम से कम चौदह वर्णों का होना चाहिए और इसे दूसरों के साथ साझा नहीं किया जाना चाहिए।",
    "it": "La password deve avere almeno quattordici caratteri e non deve essere condivisa con gli"
    " altri.",
    "ja": "パスワードは少なくとも14文字でなければならず、他人と共有してはいけません。",
    "ko": "비밀번호는 최소 14자 이상이어야 하며 다른 사람과 공유해서는 안 됩니다.",
    "nl": "Het wachtwoord moet ten minste veertien tekens lang zijn en mag niet met anderen worden"
    " gedeeld.",
    "pl": "Hasło musi mieć co najmniej czternaście znaków i nie może być udostępniane innym.",
    "pt": "A senha deve ter pelo menos catorze caracteres e não deve ser partilhada com os outros.",
    "ru": "Пароль должен содержать не менее четырнадцати символов, и его нельзя передавать другим.",
    "sv": "Lösenordet måste vara minst fjorton tecken och får inte delas med andra som är här.",
    "th": "รหัสผ่านต้องมีอย่างน้อยสิบสี่อักขระและห้ามแบ่งปันกับผู้อื่น",
    "tr": "Parola en az on dört karakter olmalı ve başkaları ile bu şekilde paylaşılmamalıdır.",
    "uk": "Пароль має містити щонайменше чотирнадцять символів, і його не можна передавати іншим.",
    "vi": "Mật khẩu phải có ít nhất mười bốn ký tự và không được chia sẻ với người khác.",
    "zh": "密码必须至少包含十四个字符，并且不得与他人共享。",
}


@pytest.mark.parametrize("code", PASSWORDS)
def test_a_sentence_is_known_by_its_language(code: str) -> None:
    assert language_of(PASSWORDS[code]) == code


@pytest.mark.parametrize(
    "text",
    ["", "42", "a", "3.14 + 2.71 = 5.85", "PX-4711 QR-0815 ZZ-9999 AB-1234 CD-5678"],
)
def test_what_is_no_running_text_is_in_no_language(text: str) -> None:
    assert language_of(text) == ""


def test_a_few_foreign_words_do_not_change_the_language() -> None:
    assert language_of(PASSWORDS["he"] + " Microsoft Windows") == "he"
    assert language_of(PASSWORDS["en"] + " שלום עולם") == "en"


def test_shares_follow_the_letters() -> None:
    shares = language_shares([PASSWORDS["he"], PASSWORDS["he"], PASSWORDS["en"]])
    assert list(shares) == ["he", "en"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["he"] > shares["en"]


def test_no_text_has_no_shares() -> None:
    assert language_shares([]) == {}
    assert language_shares(["1", "2"]) == {}


def test_advice_names_the_language_the_embedder_and_what_to_do() -> None:
    notice = embedder_advice([PASSWORDS["he"]] * 3 + [PASSWORDS["en"]], "minilm", ("en",))
    assert notice is not None
    assert notice.code == "embedder-language"
    for words in ("Hebrew", "minilm", "EMBEDDER e5", "nook pull e5", "nook ingest"):
        assert words in notice.message


@pytest.mark.parametrize(
    ("codes", "languages"),
    [
        (("he",), ()),  # It takes any.
        (("en",), ("en",)),
        (("he", "en"), ("en", "he")),
        (("en",) * 9 + ("he",), ("en",)),  # A tenth is not much.
        ((), ("en",)),
    ],
)
def test_an_embedder_that_knows_nearly_everything_needs_no_advice(
    codes: tuple[str, ...], languages: tuple[str, ...]
) -> None:
    assert embedder_advice([PASSWORDS[code] for code in codes], "some", languages) is None
