"""Evaluation: how well an assistant, a model or a way to search does, in figures to compare."""

from inglenook.evaluation.comparing import Comparison, compare
from inglenook.evaluation.datasets import read_dataset
from inglenook.evaluation.evaluation import Evaluation, run_folder
from inglenook.evaluation.question_file import find_question_file, read_question_file
from inglenook.evaluation.questions import EvaluationSet, Question, SetDocument
from inglenook.evaluation.runs import LAST, Run, RunFolder
from inglenook.evaluation.subjects import Choices, Subject, named_sources, own_subject, set_subject

__all__ = [
    "LAST",
    "Choices",
    "Comparison",
    "Evaluation",
    "EvaluationSet",
    "Question",
    "Run",
    "RunFolder",
    "SetDocument",
    "Subject",
    "compare",
    "find_question_file",
    "named_sources",
    "own_subject",
    "read_dataset",
    "read_question_file",
    "run_folder",
    "set_subject",
]
