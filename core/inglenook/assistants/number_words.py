"""Words that stand for numbers, months and units, in the languages that answers come in.

Only what `quantities` needs to see that "fourteen days" is "14 days" and not "14 hours".
"""

from __future__ import annotations

__all__ = ["MONTHS", "NUMBERS", "ORDINALS", "SCALES", "TENS", "UNITS", "WEAK"]


def _counted(text: str, start: int = 0, step: int = 1) -> dict[str, int]:
    """Words of a line -> numbers that rise by `step`; `a/b` are two words for one number."""
    return {
        form: start + step * place
        for place, forms in enumerate(text.split())
        for form in forms.split("/")
    }


NUMBERS: dict[str, int] = {
    **_counted(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen"
    ),
    **_counted(
        "null eins/ein/eine/einen/einem/einer zwei drei vier funf/fuenf sechs sieben acht neun "
        "zehn elf zwolf/zwoelf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn"
    ),
    **_counted(
        "cero uno/un/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece "
        "catorce quince dieciseis diecisiete dieciocho diecinueve veinte"
    ),
    **_counted("deux trois quatre cinq", 2),
    **_counted("sept huit neuf dix onze douze treize quatorze quinze seize", 7),
    **_counted(
        "אחת/אחד שתיים/שתים/שניים/שתי/שני שלוש/שלושה/שלושת ארבע/ארבעה/ארבעת חמש/חמישה/חמשה/חמשת "
        "שש/שישה/ששה/ששת שבע/שבעה/שבעת שמונה/שמונת תשע/תשעה/תשעת עשר/עשרה/עשרת",
        1,
    ),
    **_counted("عشرة/عشر", 10),
    **_counted(
        "واحد/واحدة/احد/احدى اثنان/اثنين/اثنتان/اثنتين/اثنا/اثني/اثنتا/اثنتي ثلاثة/ثلاث "
        "اربعة/اربع خمسة/خمس ستة/ست سبعة/سبع ثمانية/ثماني/ثمان تسعة/تسع",
        1,
    ),
}
"""A folded word -> its number, below the tens."""

TENS: dict[str, int] = {
    **_counted("twenty thirty forty/fourty fifty sixty seventy eighty ninety", 20, 10),
    **_counted("zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig", 20, 10),
    **_counted("treinta cuarenta cincuenta sesenta setenta ochenta noventa", 30, 10),
    **_counted("vingt trente quarante cinquante soixante", 20, 10),
    **_counted("עשרים שלושים ארבעים חמישים/חמשים שישים/ששים שבעים שמונים תשעים", 20, 10),
    **_counted(
        "عشرون/عشرين ثلاثون/ثلاثين اربعون/اربعين خمسون/خمسين ستون/ستين سبعون/سبعين "
        "ثمانون/ثمانين تسعون/تسعين",
        20,
        10,
    ),
}

ORDINALS: dict[str, int] = {
    **_counted(
        "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
        3,
    ),
}
"""Ordinals that are seldom anything else; `first` and `second` are."""

SCALES: dict[str, int] = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "hundert": 100,
    "tausend": 1_000,
    "millionen": 10**6,
    "milliarde": 10**9,
    "milliarden": 10**9,
    "mil": 1_000,
    "mille": 1_000,
    "millon": 10**6,
    "millones": 10**6,
    "millions": 10**6,
    "milliard": 10**9,
    "milliards": 10**9,
    "billions": 10**9,
    "מאה": 100,
    "מאות": 100,
    "מאתיים": 200,
    "אלף": 1_000,
    "אלפים": 1_000,
    "אלפיים": 2_000,
    "מיליון": 10**6,
    "מליון": 10**6,
    "מיליארד": 10**9,
    # As they are folded: the hamza of مائة is a mark.
    **{
        f"{digit}{hundred}": 100 * number
        for number, digit in enumerate("/ثلاث/اربع/خمس/ست/سبع/ثمان/تسع".split("/"), 2)
        if digit
        for hundred in ("ماية", "مية")
    },
    **dict.fromkeys(("ماية", "مية"), 100),
    **dict.fromkeys(("مايتان", "مايتين", "مايتا", "ميتان", "ميتين", "ميتا"), 200),
    "الف": 1_000,
    "الاف": 1_000,
    **dict.fromkeys(("الفان", "الفين"), 2_000),
    "مليون": 10**6,
    "ملايين": 10**6,
    "مليار": 10**9,
}

WEAK = frozenset(
    "zero one null ein eine einen einem einer uno un una once acht sept mil mille אחת אחד שש "
    "מאה אלף עשר שני שתי واحد واحدة احد احدى ست الف".split()
)
"""Words that are often something else: they give a number, but ask for none."""

MONTHS: dict[str, int] = {
    **_counted(
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug "
        "september/sept/sep october/oct november/nov december/dec",
        1,
    ),
    **_counted(
        "januar/janner februar marz/maerz april mai juni juli august september oktober november "
        "dezember",
        1,
    ),
    **_counted(
        "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre "
        "noviembre diciembre",
        1,
    ),
    **_counted(
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre", 1
    ),
    **_counted("ינואר פברואר מרץ/מרס אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר", 1),
    **_counted("يناير فبراير مارس ابريل مايو يونيو يوليو اغسطس سبتمبر اكتوبر نوفمبر ديسمبر", 1),
    # In the Levant and Iraq.
    **_counted("شباط اذار نيسان ايار حزيران تموز", 2),
    "ايلول": 9,
    "تشرين الاول": 10,
    "تشرين الثاني": 11,
    "كانون الاول": 12,
    "كانون الثاني": 1,
}

_UNIT_WORDS = """
second: second seconds sec secs sekunde sekunden segundo segundos שנייה שניות ثانية ثوان ثواني
minute: minute minutes min mins minuten minuto minutos דקה דקות دقيقة دقايق
hour: hour hours hr hrs stunde stunden hora horas heure heures שעה שעות ساعة ساعات
day: day days tag tage tagen dia dias jour jours יום ימים ימי يوم ايام يوما
week: week weeks woche wochen semana semanas semaine semaines שבוע שבועות اسبوع اسابيع
month: month months monat monate monaten mes meses mois חודש חודשים חודשי شهر اشهر شهور شهرا
year: year years yr yrs jahr jahre jahren ano anos ans שנה שנים שנות سنة سنوات عام اعوام عاما
percent: % ٪ percent pct prozent אחוז אחוזים
dollar: $ dollar dollars usd דולר דולרים دولار dolares
euro: € euro euros eur אירו يورو
pound: £ gbp pounds pound
shekel: ₪ nis ils שקל שקלים שקלים_חדשים شيكل shekel shekels
metre: metre metres meter meters metros מטר מטרים متر امتار مترا
kilometre: km kilometre kilometres kilometer kilometers kilometro kilometros קילומטר קמ كيلومتر كم
mile: mile miles mi meile meilen milla millas מייל ميل
foot: foot feet ft fuss pie pies
inch: inch inches zoll
kilogram: kg kilogram kilograms kilogramm קילוגרם קג
gram: gram grams gramm g גרם
milligram: mg milligram milligrams milligramm
litre: l litre litres liter liters litro litros ליטר لتر
millilitre: ml millilitre millilitres milliliter milliliters
kilobyte: kb kilobyte kilobytes
megabyte: mb megabyte megabytes
gigabyte: gb gigabyte gigabytes
terabyte: tb terabyte terabytes
am: am
pm: pm
tonne: tonne tonnes ton tons tonnen toneladas טון
celsius: °c celsius
fahrenheit: °f fahrenheit
character: character characters תווים
page: page pages עמודים
"""
UNITS: dict[str, str] = {
    word: unit
    for line in _UNIT_WORDS.strip().splitlines()
    for unit, words in [line.split(": ", 1)]
    for word in words.split()
}
"""A folded word or sign -> the unit that it names."""
