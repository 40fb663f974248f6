"""`RETRIEVE knowledge=`: passages, or all documents in their order; nothing is cut silently."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from inglenook.assistants.assistant import Assistant
from inglenook.assistants.chat_model import ChatModel
from inglenook.assistants.templates import ChatTemplate
from inglenook.errors import ContextOverflowError
from inglenook.host import Host
from inglenook.knowledge.drafting import Drafter
from inglenook.knowledge.knowledge_base import KnowledgeBase, Recipe
from inglenook.knowledge.loaders import LoaderTable
from inglenook.knowledge.no_embedder import NoEmbedder
from inglenook.profiles.files import FileSet, KnowledgeFile
from inglenook.profiles.loading import load_profile
from inglenook.profiles.profile import FileRule
from inglenook.security.pipeline import Filters
from inglenook.testing.fake_runtime import FakeRuntime, fake_model
from inglenook.types import Answer, Message, Narrowing, RuntimeOptions

RULES = {
    "a.txt": "Alpha rule: the gate closes at 18:00 in winter.",
    "b.txt": "Beta rule: visitors sign the book before they enter.",
    "c.txt": "Gamma rule: Dana Cohen keeps the keys of the gate.",
}


class Office:
    """A real assistant over real documents and a scripted model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = Host()
        self.assistants: list[Assistant] = []

    def open(
        self,
        retrieve: str,
        *,
        documents: dict[str, str] | None = None,
        says: str = "The gate closes at 18:00.",
        context: int = 4096,
        more: str = "",
    ) -> Assistant:
        home = self.folder / f"office-{len(self.assistants)}"
        home.mkdir()
        for name, text in (documents or RULES).items():
            (home / name).write_text(text, "utf-8")
        file = home / "Assistantfile"
        file.write_text(f"FROM any\nRETRIEVE mode=lexical {retrieve}\n{more}FILE ./*.txt\n")
        self.runtime = FakeRuntime(
            fake_model(texts=(says,), renders_chat=True), RuntimeOptions(context_length=context)
        )
        made = Assistant(
            "office",
            load_profile(file, {}),
            file,
            make_model=lambda: ChatModel(self.runtime, _template, {"num_predict": 20}),
            filters=Filters(),
            knowledge=self._knowledge(home),
            find_files=partial(_files, home),
        )
        self.assistants.append(made)
        made.ingest()
        return made

    def _knowledge(self, home: Path) -> KnowledgeBase:
        splitter = self.host.make_splitter("sentences", {"max_tokens": "40"})
        recipe = Recipe(
            loaders=lambda: LoaderTable.of(self.host),
            make_drafter=lambda e: Drafter(splitter, Filters(), e.max_tokens, e.count_tokens),
            make_embedder=NoEmbedder,
            identity={},
        )
        return KnowledgeBase(home / "kb", home / "embeddings.sqlite", recipe)

    @property
    def prompt(self) -> str:
        return "\n".join(m.text for m in self.runtime.requests[-1].messages or ())


def _template(info: object) -> ChatTemplate:
    return ChatTemplate.choose(model_template="")


def _files(home: Path) -> FileSet:
    paths = sorted(home.glob("*.txt"))
    return FileSet(tuple(KnowledgeFile(p, p.name, FileRule("*.txt")) for p in paths), (), ())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    for assistant in made.assistants:
        assistant.close()


def order_of(prompt: str, *words: str) -> bool:
    places = [prompt.find(word) for word in words]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize("knowledge", ["inline", "auto"])
def test_a_small_knowledge_stands_in_the_prompt_whole_and_in_order(office, knowledge: str) -> None:
    assistant = office.open(f"knowledge={knowledge}")

    answer = assistant.ask("When does the gate close in winter?")

    assert order_of(office.prompt, "Alpha rule", "Beta rule", "Gamma rule")
    assert ["a.txt", "b.txt", "c.txt"] == [p.source for p in answer.passages]
    assert all(p.inline for p in answer.passages)


def test_retrieve_gives_the_model_only_what_bears_on_the_question(office) -> None:
    answer = office.open("knowledge=retrieve").ask("When does the gate close in winter?")

    assert "Alpha rule" in office.prompt
    assert "Beta rule" not in office.prompt
    assert not any(p.inline for p in answer.passages)


def test_citations_point_at_the_chunk_that_carries_the_sentence(office) -> None:
    answer: Answer = office.open("knowledge=inline").ask("When does the gate close in winter?")

    (sentence,) = answer.sentences
    assert sentence.supported
    assert ["a.txt"] == [citation.source for citation in sentence.citations]


def test_what_no_document_speaks_of_is_still_not_answered(office) -> None:
    answer = office.open("knowledge=inline").ask("Who won the football cup in 1998?")

    assert answer.abstained
    assert [] == office.runtime.requests


def test_inline_of_documents_that_hold_nothing_is_no_error(office) -> None:
    answer = office.open("knowledge=inline", documents={"a.txt": "\n"}).ask("Who keeps the keys?")

    assert answer.abstained
    assert () == answer.passages


def test_auto_retrieves_from_what_is_too_much(office) -> None:
    many = {f"{n}.txt": f"Rule {n} says how wide door {n} is. " * 8 for n in range(40)}
    answer = office.open("knowledge=auto", documents={**RULES, **many}).ask(
        "When does the gate close?"
    )

    assert not any(p.inline for p in answer.passages)
    assert 6 >= len(answer.passages)


def test_auto_leaves_room_where_the_system_prompt_is_long(office) -> None:
    answer = office.open("knowledge=auto", more=f'SYSTEM "{"Be kind. " * 400}"\n').ask(
        "When does the gate close?"
    )

    assert not any(p.inline for p in answer.passages)


@pytest.mark.parametrize("rules", [60, 4000])
def test_inline_that_does_not_fit_is_an_error_with_both_numbers(office, rules: int) -> None:
    many = {"rules.txt": "\n\n".join(f"Rule {n}: door {n} is {n} wide." for n in range(rules))}
    assistant = office.open("knowledge=inline", documents=many, context=400)

    with pytest.raises(
        ContextOverflowError, match=r"All documents together need .* has room for"
    ) as e:
        assistant.ask("How wide is door 7?")

    assert e.value.needed > e.value.available > 0
    assert "knowledge=retrieve" in e.value.hint


def test_inline_within_a_narrowing_is_all_of_that_and_nothing_else(office) -> None:
    assistant = office.open("knowledge=inline")

    answer = assistant.ask("Who keeps the keys?", within=Narrowing.of(path="c.txt"))

    assert ["c.txt"] == [p.source for p in answer.passages]
    assert "Alpha rule" not in office.prompt


def test_a_follow_up_finds_its_passage_by_the_earlier_turn(office) -> None:
    documents = {
        "one.txt": "A password of a staff account has 14 characters.",
        "two.txt": "A password of a contractor has 16 characters.",
        "three.txt": "A contractor parks behind the house.",
        **{f"{n}.txt": f"Room {n} has {n} chairs." for n in range(30)},
    }
    assistant = office.open("knowledge=retrieve", documents=documents, says="16 characters.")
    history = (
        Message.of("user", "How many characters has a password of a staff account?"),
        Message.of("assistant", "14 characters."),
    )

    answer = assistant.ask("And for contractors?", history)

    assert "two.txt" == answer.passages[0].source


def test_a_question_without_a_word_of_the_documents_leans_on_the_earlier_turn(office) -> None:
    assistant = office.open("knowledge=retrieve", says="18:00.")
    history = (Message.of("user", "When does the gate close?"), Message.of("assistant", "18:00."))

    answer = assistant.ask("Please elaborate considerably thereupon", history)

    assert "a.txt" in [p.source for p in answer.passages]


def test_narrowing_an_assistant_without_documents_is_refused(
    assistant_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "Assistantfile").write_text("FROM smollm2:135m\n")
    with Assistant.from_file(tmp_path) as assistant:
        (event,) = assistant.ask_events("Hello", within=Narrowing.of(path="x"))

    assert "has no documents" in event.message
