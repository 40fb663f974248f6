"""The `file` source reads regular files of this machine only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inglenook.errors import PullError
from inglenook.types import CancelToken, FetchPart
from inglenook_model_sources.file_source import FileSource


@pytest.mark.parametrize("address", ["file://server.example/share/model.gguf", "/nowhere", ""])
def test_what_cannot_be_read_is_a_pull_error(address: str, tmp_path: Path) -> None:
    with pytest.raises(PullError) as caught:
        list(FileSource({}).fetch(FetchPart(address, ""), tmp_path / "part", CancelToken()))
    assert caught.value.hint
    assert not (tmp_path / "part").exists()


def test_a_pipe_does_not_block_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(PullError, match="not a regular file"):
        list(FileSource({}).fetch(FetchPart(str(pipe), ""), tmp_path / "part", CancelToken()))
