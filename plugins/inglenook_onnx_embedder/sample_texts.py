"""Texts on which a graph in 8 bits is tuned and checked: several scripts, lengths and kinds."""

from __future__ import annotations

__all__ = ["CHECKING", "TUNING"]

TUNING = """\
How long must a password be?

Every employee has a right to 25 days of paid leave a year, and may take five days of it to the
next year if the manager agrees in writing before the end of November. Contractors are not
covered by this section; what they are owed is in their contracts.

The pump must be switched off before the housing is opened. Wait ten minutes until the pressure
gauge (item 4, page 17) shows less than 0.2 bar, then loosen the six M8 bolts crosswise. Do not
use solvents on the seal: it swells and will leak under load.

def total(prices: list[float], rate=0.17) -> float:
    return sum(prices) * (1 + rate)

GET /api/v2/users?limit=50&offset=100 HTTP/1.1 returned 404: not found

| item | 2023 | 2024 |
| --- | --- | --- |
| rent | 12,400 | 13,150 |
| power | 3,077.50 | 2,918 |

In a randomised trial with 1,204 patients the treatment lowered systolic blood pressure by 6.3
mmHg (95% CI 4.1 to 8.5, p < 0.001) after twelve weeks, while the placebo group showed no
change. Side effects were mild: headache in 4% and dizziness in 2% of those treated.

כל עובד זכאי לעשרים וחמישה ימי חופשה בשנה, ורשאי להעביר חמישה מהם לשנה הבאה.

يحق لكل موظف إجازة مدفوعة الأجر مدتها خمسة وعشرون يوما في السنة.

Jede Mitarbeiterin und jeder Mitarbeiter hat Anspruch auf 25 Tage bezahlten Urlaub im Jahr.

每位员工每年享有二十五天带薪休假，其中五天可以转到下一年。

Каждый сотрудник имеет право на двадцать пять дней оплачиваемого отпуска в год.

yes

The contract of 3 March 1998 between Northwind Traders Ltd. and the town of Ashford ends
automatically after thirty years unless either side gives notice by registered letter.

once upon a time there was a lighthouse keeper who counted ships and wrote down their names in a
book with a red cover; when the book was full he began again at the first page, between the
lines, and nobody who came after him could tell which ship had sailed in which year

Warranty, liability, termination, confidentiality, governing law, entire agreement.
""".rstrip().split("\n\n")
"""For the largest values that the channels take."""

CHECKING = """\
What happens to leave that was not taken?

Passwords have at least 14 characters. They are changed when there is reason to believe that
somebody else knows them, and never by the calendar alone. A password manager is provided; notes
under keyboards and in shared documents are not allowed.

The Danube flows through ten countries, more than any other river, from its source in the Black
Forest to its delta on the Black Sea, over a length of 2,850 kilometres.

SELECT name, max(price) FROM orders WHERE year >= 2021 GROUP BY name HAVING count(*) > 3;

Mitochondria release cytochrome c into the cytosol when the outer membrane is made permeable by
Bax and Bak, which activates caspase-9 and, further down, caspase-3.

מתי נפתחת הספרייה בימי שישי, ומה עושים כשספר אבד?

متى تفتح المكتبة أبوابها يوم الجمعة؟

La biblioteca abre a las nueve de la mañana, excepto los domingos y los días festivos.

图书馆星期五几点开门？

ok 42

Minutes of the meeting on 14 May: present were A. Okafor, J. Lindqvist and M. Haddad; the budget
for the new roof (EUR 48,000) was approved with one abstention.

error: connection refused (os error 111) while reading /var/lib/app/state.json, retrying
""".rstrip().split("\n\n")
"""For the check against float32; none of them was used for tuning."""
