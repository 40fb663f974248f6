"""Makes the Hebrew documents of this folder from `paragraphs.json`, the same bytes each time.

    python make_hebrew.py

needs python-docx, python-pptx and XlsxWriter. `--pdf` makes the PDF files too and needs fpdf2,
uharfbuzz, the font DejaVu Sans, LibreOffice and poppler; LibreOffice writes the time into its file.
NOTICE.md says where the text is from.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import re
import subprocess
import tempfile
import zipfile
from base64 import b64encode
from email.headerregistry import Address
from pathlib import Path
from quopri import encodestring
from typing import Any

HERE = Path(__file__).parent
PARAGRAPHS = json.loads((HERE / "paragraphs.json").read_text("utf-8"))
CARMIEL, BRAZIL, TURBINE, SWISS, BURMA, HEURISTIC, IOS, ENV0, DIG, IRONMAN, POKEMON, THAI = (
    paragraph["text"] for paragraph in PARAGRAPHS
)
MADE = datetime.datetime(2024, 3, 17, 9, 30, tzinfo=datetime.UTC)
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TURBINES = (
    ("גוש שגב", 1986, "חברת החשמל"),
    ("מעלה גלבוע", 1986, "יצרן חשמל פרטי"),
    ("הר בני רסן", 1992, "חוות רוח ובה עשר טורבינות"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pdf", action="store_true", help="make the PDF files too")
    write("contract.docx", contract())
    write("slides.pptx", slides())
    write("table.xlsx", table())
    write("letter.odt", letter())
    write("note.rtf", note())
    write("page.html", page().encode())
    write("text_cp1255.txt", f"שווייץ\r\n\r\n{SWISS}\r\n".encode("cp1255"))
    write("mail_iso8859_8_i.eml", mail_in_one_part())
    write("mail_windows_1255.eml", mail_with_attachment())
    write("mailbox.mbox", mailbox(mail_in_one_part(), mail_with_attachment()))
    if parser.parse_args().pdf:
        write("shaped.pdf", shaped_pdf())
        write("contract_libreoffice.pdf", libreoffice_pdf("contract.docx"))
        write("scan.pdf", scan())


def write(name: str, data: bytes) -> None:
    (HERE / name).write_bytes(data)


# --- Word ---------------------------------------------------------------------------------------


def contract() -> bytes:
    """Headings, table, header, footer, comment, footnote, tracked changes, text box."""
    from docx import Document

    document = Document()
    _stamp(document.core_properties)
    section = document.sections[0]
    _hebrew(section.header.paragraphs[0], "הסכם מספר 17-2024, טיוטה")
    _hebrew(section.footer.paragraphs[0], "נחתם בכרמיאל")
    _heading(document, "הסכם שירותים", 0)
    _heading(document, "רקע", 1)
    first = _hebrew(document.add_paragraph(), CARMIEL)
    document.add_comment(first.runs, text="לבדוק את שנת ההקמה", author="רונית", initials="ר")
    _heading(document, "תיאור העבודה", 1)
    _hebrew(document.add_paragraph(), IOS)
    _heading(document, "לוח התקנות", 2)
    grid = document.add_table(rows=1, cols=3)
    for cell, text in zip(grid.rows[0].cells, ("אתר", "שנה", "מפעיל"), strict=True):
        _hebrew(cell.paragraphs[0], text)
    for row in TURBINES:
        for cell, value in zip(grid.add_row().cells, row, strict=True):
            _hebrew(cell.paragraphs[0], str(value))
    _heading(document, "סיום", 1)
    for text in ('המזמין ישלם 4,500 ש"ח בכל חודש.', "ההסכם יסתיים ב-31 בדצמבר 2025."):
        _hebrew(document.add_paragraph(style="List Number"), text)
    last = _hebrew(document.add_paragraph(), "הצדדים חתמו על ההסכם")
    for xml in (TRACKED_CHANGES, FOOTNOTE_MARK, TEXT_BOX):
        for run in _parse(f"<w:p {NAMESPACES}>{xml}</w:p>"):
            last._p.append(run)
    return _repacked(_saved(document), _with_footnotes)


NAMESPACES = (
    f'xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
)
TRACKED_CHANGES = (
    '<w:del w:id="90" w:author="יואב" w:date="2024-03-17T09:30:00Z"><w:r>'
    '<w:delText xml:space="preserve"> בחיפה</w:delText></w:r></w:del>'
    '<w:ins w:id="91" w:author="יואב" w:date="2024-03-17T09:30:00Z"><w:r>'
    '<w:t xml:space="preserve"> בכרמיאל ביום חתימתו</w:t></w:r></w:ins>'
)
FOOTNOTE_MARK = '<w:r><w:footnoteReference w:id="2"/></w:r>'
_BOX = "<w:txbxContent><w:p><w:r><w:t>נספח א: פרטי קשר</w:t></w:r></w:p></w:txbxContent>"
TEXT_BOX = (
    '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing>'
    '<wp:inline><wp:extent cx="1828800" cy="457200"/><wp:docPr id="7" name="Box 7"/><a:graphic>'
    '<a:graphicData uri="http://schemas.microsoft.com/office/word/2010/wordprocessingShape">'
    '<wps:wsp><wps:cNvSpPr txBox="1"/><wps:spPr><a:xfrm><a:off x="0" y="0"/>'
    '<a:ext cx="1828800" cy="457200"/></a:xfrm><a:prstGeom prst="rect"/></wps:spPr>'
    f"<wps:txbx>{_BOX}</wps:txbx><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic></wp:inline>"
    '</w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape style="width:144pt;height:36pt">'
    f"<v:textbox>{_BOX}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
)
FOOTNOTES = (
    f'<?xml version="1.0" encoding="UTF-8"?><w:footnotes xmlns:w="{W}">'
    '<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>בנוכחות עורכת דין.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)


def _with_footnotes(members: dict[str, bytes]) -> None:
    members["word/footnotes.xml"] = FOOTNOTES.encode()
    members["word/comments.xml"] = re.sub(
        rb'w:date="[^"]*"', b'w:date="2024-03-17T09:30:00Z"', members["word/comments.xml"]
    )
    _insert(
        members,
        "word/_rels/document.xml.rels",
        '<Relationship Id="rId900" Target="footnotes.xml" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/footnotes"/>',
    )
    _insert(
        members,
        "[Content_Types].xml",
        '<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.wordprocessingml.footnotes+xml"/>',
    )


def _insert(members: dict[str, bytes], name: str, element: str) -> None:
    """Put an element at the end of a part's root."""
    inside, closing, tag = members[name].decode().rpartition("</")
    members[name] = f"{inside}{element}{closing}{tag}".encode()


def _parse(xml: str) -> Any:
    from docx.oxml import parse_xml

    return list(parse_xml(xml))


def _hebrew(paragraph: Any, text: str) -> Any:
    """Add the text as Word does for Hebrew: a right-to-left paragraph of right-to-left runs."""
    properties = paragraph._p.get_or_add_pPr()
    properties.append(properties.makeelement(f"{{{W}}}bidi"))
    run = paragraph.add_run(text)
    mark = run._r.get_or_add_rPr()
    mark.append(mark.makeelement(f"{{{W}}}rtl"))
    return paragraph


def _heading(document: Any, text: str, level: int) -> None:
    _hebrew(document.add_heading(level=level), text)


# --- PowerPoint and Excel -----------------------------------------------------------------------


def slides() -> bytes:
    """Titles, bullets, a table, a picture's description and speaker notes."""
    from pptx import Presentation
    from pptx.util import Cm

    deck = Presentation()
    _stamp(deck.core_properties)
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "אנרגיית רוח בישראל"
    sentences = TURBINE.split(". ")
    first.placeholders[1].text = "\n".join(sentences[:3])
    first.notes_slide.notes_text_frame.text = "להזכיר את ביטול הניסוי באפרת"
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "לוח התקנות"
    grid = second.shapes.add_table(4, 3, Cm(2), Cm(5), Cm(20), Cm(6)).table
    for row, values in enumerate((("אתר", "שנה", "מפעיל"), *TURBINES)):
        for column, value in enumerate(values):
            grid.cell(row, column).text = str(value)
    third = deck.slides.add_slide(deck.slide_layouts[6])
    box = third.shapes.add_textbox(Cm(2), Cm(3), Cm(20), Cm(6)).text_frame
    box.text = sentences[-1]
    for slide in deck.slides:
        for paragraph in _drawn(slide, "p"):
            paragraph.get_or_add_pPr().set("rtl", "1")
    return _repacked(_saved(deck))


def _drawn(slide: Any, tag: str) -> list[Any]:
    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    return list(slide.element.iter(f"{{{main}}}{tag}"))


def table() -> bytes:
    """Two sheets that run from right to left: numbers, a formula, a date, a percentage."""
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"created": MADE, "author": "רונית"})
    sheet = book.add_worksheet("תקציב")
    sheet.right_to_left()
    money = book.add_format({"num_format": "#,##0.00"})
    share = book.add_format({"num_format": "0%"})
    sheet.write_row(0, 0, ["סעיף", "סכום", "חלק", "הערה"])
    for row, (name, amount) in enumerate((("חינוך", 1250.5), ("תרבות", 749.5)), start=1):
        sheet.write(row, 0, name)
        sheet.write(row, 1, amount, money)
        sheet.write_formula(row, 2, f"=B{row + 1}/B$4", share, amount / 2000)
    sheet.write(1, 3, "כולל הסעות לבתי ספר")
    sheet.write(3, 0, 'סה"כ')
    sheet.write_formula(3, 1, "=SUM(B2:B3)", money, 2000)
    people = book.add_worksheet("אנשי קשר")
    people.right_to_left()
    people.write_row(0, 0, ["שם", "טלפון", "תפקיד"])
    people.write_row(1, 0, ["עידו עזרן", "04-555-0100", "מנהל מחקר ופיתוח"])
    people.write_row(2, 0, ["ניצן שפירא", "04-555-0199", "יועצת"])
    book.close()
    return _repacked(buffer.getvalue())


# --- OpenDocument, RTF, HTML --------------------------------------------------------------------


def letter() -> bytes:
    """An ODT as LibreOffice writes them: heading, list, table, footnote, comment, header."""
    namespaces = (
        " ".join(
            f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
            for name in ("office", "text", "table", "style")
        )
        + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    cells = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{v}</text:p></table:table-cell>" for v in row)
        + "</table:table-row>"
        for row in (("אתר", "שנה", "מפעיל"), *TURBINES)
    )
    body = (
        '<text:h text:outline-level="1">מכתב לתושבים</text:h>'
        f'<text:p>{_xml(POKEMON)}<text:note text:note-class="footnote"><text:note-citation>1'
        "</text:note-citation><text:note-body><text:p>מתוך ויקיפדיה</text:p></text:note-body>"
        '</text:note></text:p><text:h text:outline-level="2">דתות בתאילנד</text:h>'
        f"<text:p>{_xml(THAI)}<office:annotation><dc:creator>יואב</dc:creator>"
        "<text:p>לעדכן את השנה</text:p></office:annotation></text:p>"
        "<text:list><text:list-item><text:p>פריט<text:tab/>ראשון</text:p></text:list-item>"
        '<text:list-item><text:p>פריט<text:s text:c="3"/>שני</text:p></text:list-item></text:list>'
        '<table:table table:name="לוח"><table:table-column table:number-columns-repeated="3"/>'
        f"{cells}</table:table>"
        "<text:p>בברכה,<text:line-break/>ראש העיר</text:p>"
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {namespaces}'
        ' office:version="1.3"><office:body><office:text>'
        f"{body}</office:text></office:body></office:document-content>"
    )
    styles = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-styles {namespaces}'
        ' office:version="1.3"><office:automatic-styles><style:page-layout style:name="pm1">'
        "<style:header-style/></style:page-layout></office:automatic-styles><office:master-styles>"
        '<style:master-page style:name="Standard" style:page-layout-name="pm1"><style:header>'
        "<text:p>עיריית כרמיאל</text:p></style:header></style:master-page></office:master-styles>"
        "</office:document-styles>"
    )
    kind = "application/vnd.oasis.opendocument.text"
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest='
        '"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
        '<manifest:file-entry manifest:full-path="styles.xml" manifest:media-type="text/xml"/>'
        "</manifest:manifest>"
    )
    return _zipped(
        {
            "mimetype": kind.encode(),
            "content.xml": content.encode(),
            "styles.xml": styles.encode(),
            "META-INF/manifest.xml": manifest.encode(),
        }
    )


def note() -> bytes:
    """RTF of both kinds: bytes of code page 1255, as Word 97 wrote, and Unicode escapes."""
    first, _, second = HEURISTIC.partition(". ")
    old = "".join(f"\\'{byte:02x}" if byte > 127 else chr(byte) for byte in first.encode("cp1255"))
    new = "".join(f"\\u{ord(c)}?" if ord(c) > 127 else c for c in second)
    rows = "".join(
        r"\trowd\trgaph70\cellx3000\cellx6000 "
        + "".join(
            r"\pard\intbl\rtlpar " + "".join(f"\\u{ord(c)}?" for c in cell) + r"\cell "
            for cell in row
        )
        + "\\row\n"
        for row in (("עיר", "תושבים"), ("כרמיאל", "שישים אלף"))
    )
    return (
        r"{\rtf1\ansi\ansicpg1255\deff0{\fonttbl{\f0\fswiss\fcharset177 Arial (Hebrew);}"
        r"{\f1\fswiss\fcharset0 Arial;}}{\info{\author Ronit}}"
        "\n"
        rf"{{\*\generator Test 1.0;}}\viewkind4\uc1\pard\rtlpar\qr\lang1037\f0\fs24\rtlch {old}."
        "\\par\n"
        rf"\pard\rtlpar\qr {new}\par"
        "\n"
        rf"{rows}\pard\rtlpar {{\v \u1505?\u1493?\u1491?}}\u1505?\u1493?\u1507?\par}}"
    ).encode("ascii")


def page() -> str:
    """A web page: headings, links inside sentences, a table, entities, hidden text."""
    first, _, rest = DIG.partition(". ")
    rows = "".join(
        "<tr>" + "".join(f"<td>{value}</td>" for value in row) + "</tr>" for row in TURBINES
    )
    return f"""<!DOCTYPE html>
<html lang="he" dir="rtl">
<head><meta charset="utf-8"><title>חדשות הסייבר</title>
<style>p {{ direction: rtl }}</style><script>var title = "לא לקריאה";</script></head>
<body>
<nav><a href="/">ראשי</a> | <a href="/archive">ארכיון</a></nav>
<h1>סטארטאפ חדש</h1>
<p>{first.replace("Dig Security", '<a href="/dig">Dig Security</a>')}.</p>
<p>{rest}</p>
<h2>אנרגיית רוח</h2>
<p>מחיר:&nbsp;<b>1,200</b> ש&quot;ח &ndash; כולל מע&#1524;מ.</p>
<table><caption>טורבינות</caption>
<tr><th>אתר</th><th>שנה</th><th>מפעיל</th></tr>{rows}</table>
<p style="display:none">טקסט נסתר</p>
<footer>כל הזכויות שמורות &copy; 2024</footer>
</body></html>
"""


# --- mail ---------------------------------------------------------------------------------------


def mail_in_one_part() -> bytes:
    """Base64 in iso-8859-8-i, the logical order of RFC 1556, with encoded headers."""
    body = f"שלום רב,\r\n\r\n{BURMA}\r\n\r\nבברכה,\r\nרונית\r\n".encode("iso8859-8")
    return _mail(
        "iso-8859-8-i",
        ["Content-Type: text/plain; charset=iso-8859-8-i", "Content-Transfer-Encoding: base64"],
        b"\r\n".join(_lines(b64encode(body))),
        subject="נתוני אוכלוסייה",
    )


def mail_with_attachment() -> bytes:
    """Quoted-printable HTML in windows-1255, and a text file whose name is encoded."""
    html = (
        '<html dir="rtl"><head><meta http-equiv="Content-Type" content="text/html;'
        f' charset=windows-1255"></head><body><p>היי,</p><p>{IRONMAN}</p>'
        "<ul><li>שחייה</li><li>אופניים</li></ul></body></html>"
    ).encode("cp1255")
    attached = f"רשימת משתתפים\r\n{BRAZIL}\r\n".encode("cp1255")
    name = "=?windows-1255?B?" + b64encode("משתתפים.txt".encode("cp1255")).decode() + "?="
    parts = [
        b'--=_hebrew\r\nContent-Type: text/html; charset="windows-1255"\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + encodestring(html).replace(b"\n", b"\r\n"),
        b'--=_hebrew\r\nContent-Type: text/plain; charset=windows-1255; name="'
        + name.encode()
        + b'"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="'
        + name.encode()
        + b'"\r\n\r\n'
        + b"\r\n".join(_lines(b64encode(attached))),
        b"--=_hebrew--\r\n",
    ]
    return _mail(
        "windows-1255",
        ['Content-Type: multipart/mixed; boundary="=_hebrew"'],
        b"\r\n".join(parts),
        subject="הרשמה למרוץ",
    )


def mailbox(*messages: bytes) -> bytes:
    """The messages in the format that mail programs keep them in (RFC 4155)."""
    begin = b"From ronit@example.org Sun Mar 17 07:30:00 2024\n"
    return b"".join(begin + mail.replace(b"\r\n", b"\n") + b"\n" for mail in messages)


def _mail(charset: str, headers: list[str], body: bytes, *, subject: str) -> bytes:
    codec = charset.removesuffix("-i")

    def word(text: str) -> str:
        return f"=?{charset}?B?{b64encode(text.encode(codec)).decode()}?="

    head = [
        f"From: {word('רונית כהן')} <{Address(username='ronit', domain='example.org').addr_spec}>",
        f"To: {word('יואב לוי')} <yoav@example.org>",
        f"Subject: {word(subject)}",
        "Date: Sun, 17 Mar 2024 09:30:00 +0200",
        f"Message-ID: <{charset}@example.org>",
        "MIME-Version: 1.0",
        *headers,
    ]
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body + b"\r\n"


def _lines(data: bytes) -> list[bytes]:
    return [data[begin : begin + 76] for begin in range(0, len(data), 76)]


# --- PDF ----------------------------------------------------------------------------------------

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


def shaped_pdf() -> bytes:
    """Two pages by fpdf2, in visual order, as a program that shapes its own text draws them."""
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_creation_date(MADE)
    pdf.add_font("dejavu", fname=str(FONT))
    pdf.set_text_shaping(use_shaping_engine=True, direction="rtl", script="hebr")
    for title, text in (("כרמיאל", CARMIEL), ("מערכת ההפעלה", IOS)):
        pdf.add_page()
        pdf.set_font("dejavu", size=20)
        pdf.multi_cell(0, 12, title, align="R", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("dejavu", size=13)
        pdf.multi_cell(0, 8, text, align="R", new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def libreoffice_pdf(name: str) -> bytes:
    """The document as LibreOffice exports it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["soffice", "--headless", "--convert-to", "pdf", "--outdir", folder, str(HERE / name)],
            check=True,
            capture_output=True,
        )
        return (Path(folder) / name).with_suffix(".pdf").read_bytes()


def scan() -> bytes:
    """The first page of the shaped PDF as a picture, as a scanner would give it."""
    from fpdf import FPDF

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "page"
        subprocess.run(
            [
                *("pdftoppm", "-r", "200", "-gray", "-png", "-singlefile", "-f", "1"),
                *(str(HERE / "shaped.pdf"), str(target)),
            ],
            check=True,
        )
        pdf = FPDF()
        pdf.set_creation_date(MADE)
        pdf.add_page()
        pdf.image(str(target.with_suffix(".png")), 0, 0, pdf.w, pdf.h)
        return bytes(pdf.output())


# --- the same bytes each time -------------------------------------------------------------------


def _stamp(properties: Any) -> None:
    properties.created = properties.modified = MADE
    properties.author = "רונית"


def _saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _repacked(packed: bytes, edit: Any = lambda members: None) -> bytes:
    """The zip file with fixed times, after an edit of its members."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    stamp = rb"\g<1>2024-03-17T09:30:00Z\g<2>"
    for name, data in members.items():
        if name.endswith("core.xml"):
            members[name] = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*(<)", stamp, data)
    return _zipped(members)


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2024, 3, 17, 9, 30, 0))
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


if __name__ == "__main__":
    main()
