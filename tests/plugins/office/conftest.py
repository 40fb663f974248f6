"""What the tests of the office loaders share: ways to make documents, to load and to watch."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest

from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section

OPEN_XML = "http://schemas.openxmlformats.org"
W = f"{OPEN_XML}/wordprocessingml/2006/main"
R = f"{OPEN_XML}/officeDocument/2006/relationships"
PACKAGE = f"{OPEN_XML}/package/2006/relationships"
ODF = "urn:oasis:names:tc:opendocument:xmlns:"
ODF_NAMES = " ".join(
    (
        *(
            f'xmlns:{prefix}="{ODF}{name}:1.0"'
            for prefix, name in {
                "chart": "chart",
                "draw": "drawing",
                "office": "office",
                "presentation": "presentation",
                "style": "style",
                "svg": "svg-compatible",
                "table": "table",
                "text": "text",
            }.items()
        ),
        'xmlns:dc="http://purl.org/dc/elements/1.1/"',
        'xmlns:xlink="http://www.w3.org/1999/xlink"',
    )
)

WATCHED = """
import importlib, json, pathlib, sys, time
from inglenook.errors import InglenookError
from inglenook.types import CancelToken, LoadRequest, Notice, Section


def peak_mb():
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
    import psutil
    memory = psutil.Process().memory_info()
    return getattr(memory, "peak_wset", memory.rss) // 2**20


module, name, path = sys.argv[1:]
loader = getattr(importlib.import_module(module), name)({})
found = {"characters": 0, "notices": [], "error": "", "reason": ""}
begin = time.process_time()
try:
    request = LoadRequest(pathlib.Path(path), pathlib.Path(path).name)
    for item in loader.load(request, CancelToken()):
        if isinstance(item, Section):
            found["characters"] += len(item.text)
        elif isinstance(item, Notice):
            found["notices"].append(item.code)
except InglenookError as error:
    found["error"], found["reason"] = str(error), getattr(error, "reason", "")
found["seconds"] = time.process_time() - begin
found["peak_mb"] = peak_mb()
print(json.dumps(found))
"""


@pytest.fixture
def load():
    """Loads a file: its sections, their text, its notices as `code: message`, its parts."""

    def load(loader, path, **request):
        items = list(loader({}).load(LoadRequest(path, path.name, **request), CancelToken()))
        sections = [item for item in items if isinstance(item, Section)]
        return SimpleNamespace(
            sections=sections,
            text="\n\n".join(section.text for section in sections),
            lines=[line for section in sections for line in section.text.splitlines() if line],
            notices=[f"{item.code}: {item.message}" for item in items if isinstance(item, Notice)],
            codes=[item.code for item in items if isinstance(item, Notice)],
            parts=[item for item in items if isinstance(item, PartFile)],
        )

    return load


@pytest.fixture
def watch():
    """Loads a file in a process of its own, and tells what came of it, its time and memory."""

    def watch(module, name, path):
        ran = subprocess.run(
            [sys.executable, "-c", WATCHED, module, name, str(path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return SimpleNamespace(**json.loads(ran.stdout))

    return watch


@pytest.fixture
def zipped(tmp_path):
    """Writes a zip file of members."""

    def zipped(name, members):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return path

    return zipped


@pytest.fixture
def word(zipped):
    """Writes a Word document from the XML of its body and of other parts.

    `parts` maps the kind of a relation to XML; `{w}` in it stands for the namespace of `w:`.
    """

    def word(body, name="made.docx", **parts):
        names = f'xmlns:w="{W}" xmlns:r="{R}"'
        members = {
            "word/document.xml": f"<w:document {names}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(
                {f"r{kind}": (kind, f"{kind}.xml") for kind in parts}
            ),
            **{f"word/{kind}.xml": xml.replace("{w}", names) for kind, xml in parts.items()},
        }
        return zipped(name, members)

    return word


@pytest.fixture
def open_document(zipped):
    """Writes an OpenDocument file from the XML inside `office:text` or its like."""

    def open_document(name, body, *, styles="", automatic="", **members):
        kind = {"t": "text", "p": "presentation", "s": "spreadsheet"}[name[-1]]
        content = (
            f"<office:document-content {ODF_NAMES}><office:automatic-styles>{automatic}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>"
        )
        return zipped(
            name,
            {
                "mimetype": f"application/vnd.oasis.opendocument.{kind}",
                "content.xml": content,
                "styles.xml": f"<office:document-styles {ODF_NAMES}>{styles}"
                "</office:document-styles>",
                **members,
            },
        )

    return open_document


@pytest.fixture(name="relations")
def the_xml_of_relations():
    return relations


def relations(targets):
    """The XML of relations: pairs of kind and target by id."""
    entries = "".join(
        f'<Relationship Id="{id}" Type="{R}/{kind}" Target="{target}"/>'
        for id, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{entries}</Relationships>'


@pytest.fixture
def paragraph():
    """The XML of a Word paragraph with a text and, if given, a style."""

    def paragraph(text, style=""):
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'

    return paragraph
