"""Assistantfiles: lexer, parser, validated profile, writer and the FILE lines' files."""

from __future__ import annotations

from inglenook.profiles.loading import load_profile
from inglenook.profiles.parser import parse
from inglenook.profiles.problems import Problem
from inglenook.profiles.profile import FileRule, PartChoice, Profile, RetrieveOptions
from inglenook.profiles.validation import validate
from inglenook.profiles.writer import write

__all__ = [
    "FileRule",
    "PartChoice",
    "Problem",
    "Profile",
    "RetrieveOptions",
    "load_profile",
    "parse",
    "validate",
    "write",
]
