"""Reads plain text, Markdown, HTML, tables, JSON and source code."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl

_TEXT = (
    ".txt .text .log .rst .adoc .asciidoc .org .tex .srt .vtt .ini .cfg .conf .toml .yaml .yml"
    " .properties .po .diff .patch"
)
_CODE = (
    ".py .pyi .ipy .js .mjs .cjs .jsx .ts .tsx .java .kt .kts .scala .groovy .go .rs .c .h .cc .cpp"
    " .cxx .hh .hpp .hxx .cs .fs .vb .swift .m .mm .rb .pl .pm .php .lua .r .jl .dart .ex .exs .erl"
    " .hs .ml .clj .lisp .el .scm .sh .bash .zsh .fish .ps1 .bat .cmd .sql .css .scss .less .proto"
    " .graphql .tf .cmake .mk .gradle .asm .s .f90 .pas .nim .zig .v .vhdl .sol .xml .xsd .svelte"
    " .vue"
)


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="text",
            summary="Plain text; the encoding is found out.",
            load="inglenook_text.plain:TextLoader",
            capabilities={"extensions": tuple(_TEXT.split()), "media_types": ("text/plain",)},
        )
    )
    register(
        Factory(
            name="markdown",
            summary="Markdown, a section for each heading.",
            load="inglenook_text.markdown:MarkdownLoader",
            capabilities={
                "extensions": (".md", ".markdown", ".mdx"),
                "media_types": ("text/markdown",),
            },
        )
    )
    register(
        Factory(
            name="html",
            summary="Web pages, without scripts and styles.",
            load="inglenook_text.html:HtmlLoader",
            capabilities={
                "extensions": (".html", ".htm", ".xhtml"),
                "media_types": ("text/html", "application/xhtml+xml"),
            },
        )
    )
    register(
        Factory(
            name="csv",
            summary="Tables as comma- or tab-separated values, a section for each row.",
            load="inglenook_text.table:TableLoader",
            capabilities={
                "extensions": (".csv", ".tsv", ".tab"),
                "media_types": ("text/csv", "text/tab-separated-values"),
            },
        )
    )
    register(
        Factory(
            name="json",
            summary="JSON and JSON lines, as paths and values.",
            load="inglenook_text.tree:JsonLoader",
            capabilities={
                "extensions": (".json", ".jsonl", ".ndjson", ".geojson"),
                "media_types": ("application/json", "application/x-ndjson"),
            },
        )
    )
    register(
        Factory(
            name="code",
            summary="Source code, a section for each top-level definition.",
            load="inglenook_text.code:CodeLoader",
            capabilities={"extensions": tuple(_CODE.split()), "media_types": ()},
        )
    )
