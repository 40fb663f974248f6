"""Reads what is text inside: prose, web pages, e-books, tables, data, subtitles, source code."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl

_TEXT = (
    ".txt .text .log .adoc .asciidoc .org .tex .ini .cfg .conf .toml .yaml .yml .properties .po"
    " .diff .patch .ics .vcf"
)
_CODE = (
    ".py .pyi .ipy .js .mjs .cjs .jsx .ts .tsx .java .kt .kts .scala .groovy .go .rs .c .h .cc .cpp"
    " .cxx .hh .hpp .hxx .cs .fs .vb .swift .m .mm .rb .pl .pm .php .lua .r .jl .dart .ex .exs .erl"
    " .hs .ml .clj .lisp .el .scm .sh .bash .zsh .fish .ps1 .bat .cmd .sql .css .scss .less .proto"
    " .graphql .tf .cmake .mk .gradle .asm .s .f90 .pas .nim .zig .v .vhdl .sol .xsd .xsl .xslt"
    " .svelte .vue"
)
_XML = ".xml .rss .atom .opml .svg .fb2 .docbook .dbk .dita .ditamap .tei .kml .gpx .plist"


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="text",
            summary="Plain text; the encoding is found out.",
            load="inglenook_text.plain:TextLoader",
            capabilities={"extensions": tuple(_TEXT.split()), "media_types": ("text/plain",)},
            version="2",
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
            version="2",
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
            version="2",
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
            version="2",
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
            version="2",
        )
    )
    register(
        Factory(
            name="code",
            summary="Source code, a section for each top-level definition.",
            load="inglenook_text.code:CodeLoader",
            capabilities={"extensions": tuple(_CODE.split()), "media_types": ()},
            version="2",
        )
    )
    _register_more(register)


def _register_more(register: Register) -> None:
    register(
        Factory(
            name="rst",
            summary="reStructuredText, a section for each title.",
            load="inglenook_text.rst:RstLoader",
            capabilities={"extensions": (".rst", ".rest"), "media_types": ("text/x-rst",)},
        )
    )
    register(
        Factory(
            name="epub",
            summary="E-books, a section for each heading, in reading order.",
            load="inglenook_text.epub:EpubLoader",
            capabilities={"extensions": (".epub",), "media_types": ("application/epub+zip",)},
        )
    )
    register(
        Factory(
            name="xml",
            summary="XML files, feeds and drawings: their text, a section for each entry.",
            load="inglenook_text.xml:XmlLoader",
            capabilities={
                "extensions": tuple(_XML.split()),
                "media_types": ("application/xml", "text/xml", "image/svg+xml"),
            },
        )
    )
    register(
        Factory(
            name="subtitles",
            summary="SubRip and WebVTT subtitles as paragraphs.",
            load="inglenook_text.subtitles:SubtitleLoader",
            capabilities={"extensions": (".srt", ".vtt"), "media_types": ("text/vtt",)},
        )
    )
    register(
        Factory(
            name="notebook",
            summary="Jupyter notebooks, cell by cell, with what the code printed.",
            load="inglenook_text.notebook:NotebookLoader",
            capabilities={
                "extensions": (".ipynb",),
                "media_types": ("application/x-ipynb+json",),
            },
        )
    )
