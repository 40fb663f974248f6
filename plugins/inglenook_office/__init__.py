"""Reads documents of office suites: Word, PowerPoint, Excel, OpenDocument and RTF.

The documents' own XML is read as a stream with the standard library's parser; libraries are needed
for encrypted documents and for workbooks of before 2007 only.
"""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_MACROS = "application/vnd.ms-"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."


@hookimpl
def register_loaders(register: Register) -> None:
    register(
        Factory(
            name="docx",
            summary="Word documents, a section for each heading.",
            load="inglenook_office.docx_loader:DocxLoader",
            capabilities={
                "extensions": (".docx", ".docm", ".dotx", ".dotm"),
                "media_types": (
                    f"{_OPEN_XML}wordprocessingml.document",
                    f"{_OPEN_XML}wordprocessingml.template",
                    f"{_MACROS}word.document.macroenabled.12",
                ),
            },
            extra="office",
        )
    )
    register(
        Factory(
            name="pptx",
            summary="PowerPoint presentations, a section for each slide.",
            load="inglenook_office.pptx_loader:PptxLoader",
            capabilities={
                "extensions": (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
                "media_types": (
                    f"{_OPEN_XML}presentationml.presentation",
                    f"{_OPEN_XML}presentationml.slideshow",
                    f"{_OPEN_XML}presentationml.template",
                    f"{_MACROS}powerpoint.presentation.macroenabled.12",
                ),
            },
            extra="office",
        )
    )
    register(
        Factory(
            name="xlsx",
            summary="Excel workbooks, sections of rows for each sheet.",
            load="inglenook_office.xlsx_loader:XlsxLoader",
            capabilities={
                "extensions": (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb"),
                "media_types": (
                    f"{_OPEN_XML}spreadsheetml.sheet",
                    f"{_OPEN_XML}spreadsheetml.template",
                    f"{_MACROS}excel.sheet.macroenabled.12",
                    f"{_MACROS}excel.sheet.binary.macroenabled.12",
                ),
            },
            extra="office",
        )
    )
    register(
        Factory(
            name="xls",
            summary="Excel workbooks of 95 to 2003.",
            load="inglenook_office.xls_loader:XlsLoader",
            capabilities={
                "extensions": (".xls", ".xlt"),
                "media_types": (f"{_MACROS}excel",),
            },
            requires=("olefile",),
            extra="office",
        )
    )
    register(
        Factory(
            name="odf",
            summary="OpenDocument texts, presentations and spreadsheets.",
            load="inglenook_office.odf_loader:OdfLoader",
            capabilities={
                "extensions": (
                    *(".odt", ".ott", ".fodt"),
                    *(".odp", ".otp", ".fodp"),
                    *(".ods", ".ots", ".fods"),
                ),
                "media_types": tuple(
                    f"{_OPEN_DOCUMENT}{kind}"
                    for kind in ("text", "text-template", "presentation", "spreadsheet")
                ),
            },
            extra="office",
        )
    )
    register(
        Factory(
            name="rtf",
            summary="Rich Text Format, a section for each heading.",
            load="inglenook_office.rtf_loader:RtfLoader",
            capabilities={
                "extensions": (".rtf",),
                "media_types": ("application/rtf", "text/rtf"),
            },
            extra="office",
        )
    )
