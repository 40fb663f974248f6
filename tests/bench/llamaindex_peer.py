"""The peer of the ingestion benchmark: a folder into Chroma with LlamaIndex, as its manual does it.

Runs in an environment of its own (see ingestion_peer.py). Prints one line of JSON.

    llamaindex_peer.py DOCUMENTS STATE MODEL
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

# Nothing is to be sent or fetched, and both programs are to use the same cores.
os.environ.update(
    ANONYMIZED_TELEMETRY="False",
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TRANSFORMERS_OFFLINE="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="true",
)


def main() -> int:
    documents, state, model = (Path(argument) for argument in sys.argv[1:4])
    started = time.perf_counter()
    import chromadb
    from chromadb.config import Settings
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    imported = time.perf_counter()
    client = chromadb.PersistentClient(
        str(state / "chroma"), settings=Settings(anonymized_telemetry=False)
    )
    collection = client.get_or_create_collection("documents")
    embedder = HuggingFaceEmbedding(model_name=str(model), device="cpu")
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=256, chunk_overlap=32), embedder],
        docstore=SimpleDocumentStore(),
        vector_store=ChromaVectorStore(chroma_collection=collection),
        docstore_strategy=DocstoreStrategy.UPSERTS,
    )
    kept = state / "pipeline"
    if kept.exists():
        pipeline.load(str(kept))
    opened = time.perf_counter()
    # It finds nothing otherwise where a folder above has a name with a dot in front.
    reader = SimpleDirectoryReader(
        str(documents), recursive=True, filename_as_id=True, exclude_hidden=False
    )
    loaded = reader.load_data()
    read = time.perf_counter()
    nodes = pipeline.run(documents=loaded)
    pipeline.persist(str(kept))
    ended = time.perf_counter()
    files = {str(path) for path in reader.input_files}
    got = {str(document.metadata.get("file_path")) for document in loaded}
    report = {
        "seconds": ended - started,
        "import_seconds": imported - started,
        "open_seconds": opened - imported,
        "read_seconds": read - opened,
        "pipeline_seconds": ended - read,
        "files": len(files),
        "files_lost": sorted(Path(path).name for path in files - got),
        "new_nodes": len(nodes),
        "chunks": collection.count(),
        "threads": _threads(),
    }
    print(json.dumps(report))
    return 0


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


if __name__ == "__main__":
    sys.exit(main())
