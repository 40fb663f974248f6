"""Validation: types, ranges, names, repeats and inheritance."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from inglenook.profiles import PartChoice, Profile, parse, validate
from inglenook.profiles.parameters import PARAMETERS

NAMES = {"embedder": ["minilm"], "filter": ["markup"], "runtime": ["llama-cpp"]}


def profile(text: str) -> Profile:
    built, problems = validate(parse(text))
    assert built is not None, problems
    return built


def errors(text: str, names=None) -> list[str]:
    built, problems = validate(parse(text), names)
    messages = [str(problem) for problem in problems if problem.severity == "error"]
    assert (built is None) == bool(messages)
    return messages


def test_reads_the_whole_example_of_the_manual():
    read = profile(
        "FROM qwen2.5-coder:0.5b\n"
        "RUNTIME llama-cpp slots=2\n"
        "DEVICE npu,gpu,cpu\n"
        "PARAMETER temperature 0.2\n"
        'SYSTEM """You are\nkind."""\n'
        "FILE ./contoso_guidelines.txt\n"
        "FILE ./policies/**/*.pdf optional=true\n"
        "EMBEDDER minilm\n"
        'STORE chroma note="a b"\n'
        "RETRIEVE top_k=3 mode=lexical\n"
        "FILTER markup stage=context\n"
        "MESSAGE user How long must a password be?\n"
    )
    assert read.model == "qwen2.5-coder:0.5b"
    assert read.runtime == PartChoice("llama-cpp", {"slots": "2"})
    assert read.devices == ("npu", "gpu", "cpu")
    assert read.parameters == {"temperature": 0.2}
    assert read.system == "You are\nkind."
    assert [(rule.pattern, rule.optional, rule.line) for rule in read.files] == [
        ("./contoso_guidelines.txt", False, 7),
        ("./policies/**/*.pdf", True, 8),
    ]
    assert read.store == PartChoice("chroma", {"note": "a b"})
    assert (read.retrieve.top_k, read.retrieve.mode, read.retrieve.knowledge) == (
        3,
        "lexical",
        "auto",
    )
    assert read.filters == (PartChoice("markup", {"stage": "context"}),)
    assert read.messages == (("user", "How long must a password be?"),)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("temperature 1e-1", 0.1),
        ("temperature +.5", 0.5),
        ("temperature 0x1p-2", 0.25),
        ("top_k +07", 7),
        ("seed -1", -1),
        ("use_mmap T", True),
        ("use_mmap 0", False),
        ("stop <|end|>", ("<|end|>",)),
    ],
)
def test_reads_numbers_and_truth_values_as_go_does(line, value):
    name = line.split()[0]
    assert profile(f"FROM m\nPARAMETER {line}").parameters[name] == value


@pytest.mark.parametrize(
    "line",
    [
        "temperature abc",
        "temperature 1_0",
        "temperature 0x1",
        "temperature -0.1",
        "temperature 1e999",
        "top_p 1.5",
        "min_p -Inf",
        "top_k 0.7",
        "top_k ٣",
        "num_ctx -5",
        "num_ctx 99999999999999999999",
        "seed 1__0",
        "use_mmap maybe",
        "use_mmap tRUE",
        "temperature ",
    ],
)
def test_refuses_wrong_types_and_ranges_and_says_what_is_allowed(line):
    (message,) = errors(f"FROM m\nPARAMETER {line}\n")
    assert message.startswith("line 2, column ")
    assert "must be" in message


def test_every_default_lies_in_its_own_range():
    for spec in PARAMETERS.values():
        if isinstance(spec.default, int | float):
            assert spec.minimum <= spec.default <= spec.maximum


def test_an_unknown_parameter_names_the_nearest_one():
    (message,) = errors("FROM m\nPARAMETER temprature 1")
    assert 'Did you mean "temperature"?' in message
    (message,) = errors("FROM m\nPARAMETER Temperature 1")
    assert 'Did you mean "temperature"?' in message


def test_repeats_follow_ollama():
    read = profile(
        "FROM a\nFROM b\nSYSTEM x\nSYSTEM y\nPARAMETER stop 1\nPARAMETER stop 2\n"
        "PARAMETER seed 1\nPARAMETER seed 2\nLICENSE p\nLICENSE q\nMESSAGE user u\n"
        "MESSAGE assistant a\nTEMPLATE t\nTEMPLATE {{ .Prompt }}\n"
    )
    assert (read.models, read.model, read.system) == (("a", "b"), "b", "y")
    assert read.parameters == {"stop": ("1", "2"), "seed": 2}
    assert read.licences == ("p", "q")
    assert read.messages == (("user", "u"), ("assistant", "a"))
    assert read.template == "{{ .Prompt }}"


def test_a_filter_takes_every_stage_action_and_way_to_fail():
    read = profile(
        'FROM m\nFILTER markup stage="input, ingest,context,output" action=redact fail=open\n'
        "FILTER markup stage=output action=allow fail=closed types=a,b\n"
    )
    assert [choice.options["fail"] for choice in read.filters] == ["open", "closed"]


def test_file_none_clears_what_came_before():
    read = profile("FROM m\nFILE a.txt\nFILE none\nFILE b.txt\n")
    assert [rule.pattern for rule in read.files] == ["b.txt"]
    assert read.clear_files


@pytest.mark.parametrize("text", ["0.14.0", "v1.2", "1.0.0-rc.1+x"])
def test_accepts_versions_as_go_does(text):
    assert profile(f"FROM m\nREQUIRES {text}").requires == text.removeprefix("v")


@pytest.mark.parametrize("name", ["./models/my-e5", "../e5", "/opt/models/e5", "~/e5", "e5:q4"])
def test_an_embedder_may_be_a_model_or_a_folder(name):
    chosen = profile(f"FROM m\nEMBEDDER {name} threads=1\n").embedder
    assert (chosen.name, dict(chosen.options)) == (name, {"threads": "1"})


@pytest.mark.parametrize("text", ["abc", "1.2.3.4", "01.2.3", "1.2-rc", ""])
def test_refuses_what_is_no_version(text):
    assert "such as 0.14.0" in errors(f"FROM m\nREQUIRES {text}\n")[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("EMBEDDER minlm", 'Did you mean "minilm"?'),
        ("RUNTIME llama_cpp", 'Did you mean "llama-cpp"?'),
        ("FILTER nothing", "Allowed are: markup"),
        ("FILTER markup stage=everywhere", "there is no stage 'everywhere'"),
        ("FILTER markup stage=input,contxt", 'Did you mean "context"?'),
        ("FILTER markup stage=", "Allowed are: input, ingest, context, output"),
        ("FILTER markup action=explode", "there is no action 'explode'"),
        ("FILTER markup fail=maybe", "Allowed are: closed, open"),
        ("RUNTIME package.module:Class", "not"),
        ("EMBEDDER ", "needs a name"),
        ("EMBEDDER .models", "not "),
        ("EMBEDDER minilm a=1 a=2", "twice"),
        ("DEVICE tpu", 'Did you mean "npu"?'),
        ("DEVICE ", "needs any of"),
        ("RETRIEVE top_k=51", "1 to 50"),
        ("RETRIEVE mode=hybird", 'Did you mean "hybrid"?'),
        ("RETRIEVE min_score=nan", "-1 to 1"),
        ("RETRIEVE topk=3", 'Did you mean "top_k"?'),
        ("RETRIEVE hybrid", "key=value"),
        ("FILE a.txt optinal=true", 'Did you mean "optional"?'),
        ("FILE ", "needs a path"),
        ('FILE """a\nb"""', "control"),
        ("ADAPTER ", "needs a LoRA file"),
    ],
)
def test_refuses_what_no_part_can_mean(line, said):
    (message,) = errors(f"FROM m\n{line}\n", NAMES)
    assert said in message


def test_nothing_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    read = profile("FROM ${SECRET}\nSYSTEM $SECRET {{ env.SECRET }}\nFILE $SECRET.txt\n")
    assert (read.model, read.files[0].pattern) == ("${SECRET}", "$SECRET.txt")
    assert read.system == "$SECRET {{ env.SECRET }}"


def test_reports_all_problems_at_once_in_the_order_of_the_file():
    lines = [
        message.split(":")[0]
        for message in errors("FROM m\nPARAMETER top_k x\nDEVICE q\nFOO\nREQUIRES z\n")
    ]
    assert lines == [
        "line 2, column 17",
        "line 3, column 8",
        "line 4, column 1",
        "line 5, column 10",
    ]


def test_a_template_problem_has_the_line_in_the_file():
    (message,) = errors('FROM m\nTEMPLATE """a\nb {{ .Messages }}\n"""\n')
    assert message.startswith("line 3, column 1: The field .Messages")


def test_a_profile_is_immutable_hashable_and_picklable():
    read = profile('FROM m\nPARAMETER stop a\nEMBEDDER e k="v w"\nFILE x\n')
    assert pickle.loads(pickle.dumps(read)) == read
    assert hash(read) == hash(profile('FROM m\nEMBEDDER e k="v w"\nPARAMETER stop a\nFILE x\n'))
    with pytest.raises(AttributeError):
        read.system = "x"
    with pytest.raises(TypeError):
        read.parameters["seed"] = 1


class TestInheritance:
    parent = profile(
        "FROM base:1b\nPARAMETER stop a\nPARAMETER seed 1\nPARAMETER top_k 5\nSYSTEM parent\n"
        "MESSAGE user old\nFILE p.txt\nEMBEDDER minilm\nFILTER markup\n"
        "RETRIEVE top_k=9 mode=vector\nLICENSE p\n"
    )

    def test_an_empty_child_is_its_parent_with_files_in_the_parents_folder(self, tmp_path):
        whole = profile("FROM parent").inherit(self.parent, tmp_path)
        assert whole.files[0].folder == str(tmp_path)
        assert profile("FROM parent").inherit(self.parent) == self.parent

    def test_parameters_merge_and_stop_is_replaced_whole(self):
        child = profile("FROM parent\nPARAMETER stop b\nPARAMETER stop c\nPARAMETER seed 2")
        merged = child.inherit(self.parent).parameters
        assert merged == {"stop": ("b", "c"), "seed": 2, "top_k": 5}

    def test_texts_parts_and_messages_are_replaced_where_stated(self):
        child = profile("FROM parent\nSYSTEM child\nMESSAGE user new\nEMBEDDER other\n")
        whole = child.inherit(self.parent)
        assert (whole.model, whole.system) == ("base:1b", "child")
        assert whole.messages == (("user", "new"),)
        assert whole.embedder == PartChoice("other")

    def test_files_filters_and_licences_are_added(self):
        child = profile("FROM parent\nFILE c.txt\nFILTER pii\nLICENSE c\n")
        whole = child.inherit(self.parent, Path("/parent"))
        assert [(rule.pattern, rule.folder) for rule in whole.files] == [
            ("p.txt", str(Path("/parent"))),
            ("c.txt", ""),
        ]
        assert [choice.name for choice in whole.filters] == ["markup", "pii"]
        assert whole.licences == ("p", "c")

    def test_the_models_of_the_parent_stay_where_they_are(self, tmp_path):
        (tmp_path / "models" / "mine").mkdir(parents=True)
        parent = profile(
            "FROM ./m.gguf\nADAPTER a.gguf\nEMBEDDER models/mine\nRERANKER onnx model=models\n"
        )
        whole = profile("FROM parent").inherit(parent, tmp_path)
        assert whole.model == str(tmp_path / "m.gguf")
        assert whole.adapter == str(tmp_path / "a.gguf")
        assert whole.embedder.name == str(tmp_path / "models" / "mine")
        assert whole.reranker.options["model"] == str(tmp_path / "models")

    def test_names_of_models_are_no_paths(self, tmp_path):
        (tmp_path / "qwen").mkdir()
        for name in ("qwen", "library/qwen", "/models/q.gguf", "hf.co/a/b:Q4"):
            parent = profile(f"FROM {name}\nEMBEDDER minilm\n")
            whole = profile("FROM parent").inherit(parent, tmp_path)
            assert (whole.model, whole.embedder) == (name, parent.embedder)

    def test_file_none_inherits_no_files(self):
        assert profile("FROM parent\nFILE none\n").inherit(self.parent).files == ()

    def test_retrieve_options_merge_one_by_one(self):
        merged = profile("FROM parent\nRETRIEVE top_k=2\n").inherit(self.parent).retrieve
        assert (merged.top_k, merged.mode) == (2, "vector")
