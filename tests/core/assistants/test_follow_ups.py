"""Whether a question leans on the turns before it is seen from its form, in any language."""

from __future__ import annotations

import pytest

from inglenook.assistants.follow_ups import query_for
from inglenook.assistants.relevance import abstention
from inglenook.types import Message

FIRST = "How long must a password of a staff account be?"
ANSWER = "At least 14 characters, says Dana Cohen."


def history(*turns: str) -> list[Message]:
    roles = ("user", "assistant")
    return [Message.of(roles[n % 2], text) for n, text in enumerate(turns)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        "And for contractors?",
        "What about contractors with privileged accounts?",
        "How about the Berlin office?",
        "And how often must contractors change their passwords?",
        "Or in Singapore?",
        "Why?",
        "How often must they be changed?",
        "What does it cost?",
        "Who approves it?",
        "Does this apply to contractors too?",
        "Is that all?",
        "What is her phone number?",
        "ולקבלנים?",
        "ומה לגבי קבלנים עם הרשאות גבוהות במערכת?",
        "ואיך מחליפים סיסמה שנשכחה במערכת השכר?",
        "כמה זה עולה?",
        "ומי מאשר?",
        "מה עם עובדים זמניים במחלקת החינוך?",
        "وماذا عن المقاولين في المكتب الجديد؟",
        "وللمقاولين؟",
        "كم يكلف ذلك؟",
        "Und für Auftragnehmer mit besonderen Rechten?",
        "¿Y para los contratistas?",
        "那么承包商呢？",
    ],
)
def test_a_question_that_leans_is_searched_with_the_turn_before(question: str) -> None:
    query = query_for(question, history(FIRST, ANSWER))

    assert query.leans, question
    assert query.text == question
    assert query.earlier[0] == FIRST
    assert query.whole.startswith(f"{question}\n{FIRST}")


@pytest.mark.parametrize(
    "question",
    [
        "How many vacation days do employees in Dublin have?",
        "When a laptop is lost, who must report it to the police?",
        "Which documents that customers signed are kept for seven years?",
        "What is the approval limit for hardware purchases in Berlin?",
        "Do the rules for the coffee machine in Chicago say who cleans it?",
        "כמה ימי חופשה מגיעים לעובדי העירייה בשנה הראשונה?",
        "מתי נפתחת לשכת הרווחה בימי שישי בבוקר?",
        "كم عدد أيام الإجازة السنوية للموظفين في مكتب دبي؟",
        "Wie viele Urlaubstage haben Mitarbeiter in Berlin?",
    ],
)
def test_a_question_that_stands_by_itself_does_not_lean(question: str) -> None:
    assert not query_for(question, history(FIRST, ANSWER)).leans


def test_the_first_question_has_nothing_to_lean_on() -> None:
    query = query_for("And for contractors?", [])

    assert ("And for contractors?", ()) == (query.whole, query.earlier)


def test_a_chain_of_follow_ups_leads_back_to_what_it_is_about() -> None:
    turns = history(FIRST, ANSWER, "And for contractors?", "16.", "And in Berlin?", "16 too.")

    query = query_for("How often must they be changed?", turns)

    assert ("And in Berlin?", "And for contractors?", FIRST) == query.earlier[:3]


def test_a_turn_that_stands_by_itself_ends_the_chain() -> None:
    turns = history(
        "Who repairs the coffee machine on the second floor?", "Facilities.", FIRST, "14."
    )

    assert (FIRST,) == query_for("And for contractors?", turns).earlier


def test_what_a_pronoun_stands_for_may_be_named_in_the_last_answer() -> None:
    turns = history("Who leads the security office of the company?", "Dana Cohen leads it.")

    assert "Dana Cohen leads it." in query_for("What is her phone number?", turns).earlier
    assert "Dana Cohen leads it." not in query_for("And for contractors?", turns).earlier


def test_an_answer_that_found_nothing_names_nothing() -> None:
    question = "Who leads the security office of the company?"

    turns = history(question, abstention(question))

    assert (question,) == query_for("What is her phone number?", turns).earlier


def test_greetings_between_the_turns_do_not_count() -> None:
    turns = history(FIRST, "14.", "Thanks!", "You are welcome.")

    assert (FIRST,) == query_for("And for contractors?", turns).earlier


def test_a_very_long_earlier_turn_does_not_drown_the_question() -> None:
    query = query_for("And for contractors?", history("password rules " * 500, "14."))

    assert len(query.whole) < 500
