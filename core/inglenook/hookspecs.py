"""Every hook that a plugin may implement.

A plugin is a module named by an entry point in the group `inglenook`. It marks functions with
`hookimpl`; each gets a `register` callable and hands it one `Factory` for each part it brings:

    from inglenook import Factory, hookimpl

    @hookimpl
    def register_loaders(register):
        register(Factory(name="midi", summary="MIDI lyrics", load="my_plugin.midi:MidiLoader",
                         capabilities={"extensions": (".mid",)}))

The class behind `load` implements the protocol of its hook (see `protocols`).
"""

from __future__ import annotations

import pluggy

from inglenook.factories import Register

__all__ = ["HOOK_KINDS", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "inglenook"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

HOOK_KINDS = {
    "register_runtimes": "runtime",
    "register_embedders": "embedder",
    "register_loaders": "loader",
    "register_splitters": "splitter",
    "register_vector_stores": "vector_store",
    "register_rerankers": "reranker",
    "register_filters": "filter",
    "register_model_sources": "model_source",
    "register_commands": "command",
}


@hookspec
def register_runtimes(register: Register) -> None:
    """Register what runs language models (`protocols.Runtime`).

    Capability `formats`: the model formats it opens, such as `gguf`, `onnx-genai` or `remote`.
    `preference` ranks runtimes of one format where the profile names none: lower comes first, 50
    where nothing is said. One that can write models too (`protocols.ConvertsModels`) states the
    precisions in `writes` and the formats that it reads in `converts`.

    versionadded: 0.1
    """


@hookspec
def register_embedders(register: Register) -> None:
    """Register what turns text into vectors (`protocols.Embedder`).

    Capability `formats`: the model formats it opens, such as `sentence-onnx`. `preference` ranks
    embedders of one format where the profile names none: lower comes first, 50 where nothing is
    said.

    versionadded: 0.1
    """


@hookspec
def register_loaders(register: Register) -> None:
    """Register what reads a file into sections of text (`protocols.Loader`).

    Capabilities `extensions` (lower case, with the dot) and `media_types`. Where several loaders
    read an extension they are tried by `preference`, lower first and 50 where nothing is said: the
    next one is asked when one finds a file broken or dies of it. `recognises` (any value) marks a
    loader that finds text in pictures: it is asked last, for a file or for single pages in which
    the others found no text. `pages` (any value) marks one that can be asked for single pages
    which another found damaged or garbled.

    versionadded: 0.1
    """


@hookspec
def register_splitters(register: Register) -> None:
    """Register what cuts sections into chunks (`protocols.Splitter`).

    versionadded: 0.1
    """


@hookspec
def register_vector_stores(register: Register) -> None:
    """Register what finds the nearest vectors (`protocols.VectorStore`).

    versionadded: 0.1
    """


@hookspec
def register_rerankers(register: Register) -> None:
    """Register what orders found passages anew (`protocols.Reranker`).

    Capability `formats`: the model formats it opens, such as `cross-encoder-onnx`. One that has it
    declares the option `model`, a folder or the name of a model; one without it gets no model.

    versionadded: 0.1
    """


@hookspec
def register_filters(register: Register) -> None:
    """Register what judges text on its way in and out (`protocols.Filter`).

    Capability `stages`: any of `input`, `ingest`, `context`, `output`.

    versionadded: 0.1
    """


@hookspec
def register_model_sources(register: Register) -> None:
    """Register where models can be fetched from (`protocols.ModelSource`).

    Capability `schemes`: what stands before the colon of an address, such as `pip` or `file`. A
    source that also finds models by names of its own (`protocols.ModelFinder`) declares `names`:
    how they begin, such as `hf.co/`; "" takes every name that nobody else does. An option of a
    source is set by the key of that name in the table `[models]` of the configuration.

    versionadded: 0.1
    """


@hookspec
def register_commands(register: Register) -> None:
    """Register a command for every face (`protocols.Command`); `options` are its arguments.

    versionadded: 0.1
    """
