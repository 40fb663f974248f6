"""Encrypted documents: opened with their password, in memory, and refused without."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import msoffcrypto.format.ooxml
import openpyxl
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from inglenook.errors import LoadError, MissingDependencyError
from inglenook_office.docx_loader import DocxLoader
from inglenook_office.odf_loader import OdfLoader
from inglenook_office.xlsx_loader import XlsxLoader

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"


@pytest.fixture
def locked(tmp_path):
    """A workbook that says "open", encrypted with a password."""

    def locked(password):
        plain = io.BytesIO()
        workbook = openpyxl.Workbook()
        workbook.active.append(["open"])
        workbook.save(plain)
        path = tmp_path / "locked.xlsx"
        with path.open("wb") as file:
            msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt(password, file)
        return path

    return locked


# --- Office Open XML ----------------------------------------------------------------------------


def test_a_real_document_opens_with_its_password(load):
    path = CORPUS / "tika" / "testWORD_protected_passtika.docx"
    found = load(DocxLoader, path, password="tika")
    assert found.text == "This is an encrypted Word 2007 File."


@pytest.mark.parametrize(
    ("loader", "path"),
    [
        (DocxLoader, "tika/testWORD_protected_passtika.docx"),
        (XlsxLoader, "unstructured/password_protected.xlsx"),
        (OdfLoader, "tika/testODTEncrypted.odt"),
    ],
)
def test_without_or_with_a_wrong_password_it_is_encrypted_and_says_which(load, loader, path):
    with pytest.raises(LoadError, match="needs a password") as caught:
        load(loader, CORPUS / path)
    assert caught.value.reason == "encrypted"
    with pytest.raises(LoadError, match="another password than the one given") as caught:
        load(loader, CORPUS / path, password="wrong")
    assert caught.value.reason == "encrypted"
    assert "wrong" not in str(caught.value)


def test_a_workbook_opens_with_its_password_and_stays_in_memory(load, locked, tmp_path):
    path = locked("סיסמה")
    before = sorted(tmp_path.iterdir())
    assert load(XlsxLoader, path, password="סיסמה").text == "open"
    assert sorted(tmp_path.iterdir()) == before


def test_a_workbook_that_excel_opens_without_asking_is_opened(load, locked):
    assert load(XlsxLoader, locked("VelvetSweatshop")).text == "open"


def test_a_container_that_asks_for_hours_of_hashing_is_not_tried(load, locked):
    path = locked("x")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'spinCount="100000"', b'spinCount="999999"'))
    assert path.read_bytes() != data
    with pytest.raises(LoadError) as caught:
        load(XlsxLoader, path)
    assert caught.value.reason == "encrypted"


def test_a_damaged_container_is_broken(load, locked):
    path = locked("x")
    path.write_bytes(path.read_bytes()[:3_000])
    with pytest.raises(LoadError, match=r"locked\.xlsx") as caught:
        load(XlsxLoader, path, password="x")
    assert caught.value.reason == "broken"


def test_an_old_document_under_a_new_name_is_named(load, tmp_path):
    path = tmp_path / "a.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1_000))
    with pytest.raises(LoadError, match="before Office 2007") as caught:
        load(DocxLoader, path)
    assert caught.value.reason == "unsupported"


def test_a_missing_library_is_named_with_its_extra(load, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "olefile", None)
    with pytest.raises(MissingDependencyError, match=r"inglenook\[office\]"):
        load(DocxLoader, CORPUS / "tika" / "testWORD_protected_passtika.docx", password="tika")


# --- OpenDocument -------------------------------------------------------------------------------


def content(text):
    odf = "urn:oasis:names:tc:opendocument:xmlns:"
    return (
        f'<office:document-content xmlns:office="{odf}office:1.0" xmlns:text="{odf}text:1.0">'
        f"<office:body><office:text><text:p>{text}</text:p></office:text></office:body>"
        "</office:document-content>"
    ).encode()


def coded(data):
    return base64.b64encode(data).decode()


def test_a_real_text_opens_with_its_password(load):
    found = load(OdfLoader, CORPUS / "tika" / "testODTEncrypted.odt", password="tika")
    assert found.lines == ["Shhhhhhhhhhh!", "This should be encrypted."]


def test_a_text_encrypted_as_the_standard_says_opens(load, zipped):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content("open")) + packer.flush()
    salt, vector = os.urandom(16), os.urandom(16)
    start = hashlib.sha256("סיסמה".encode()).digest()
    key = hashlib.pbkdf2_hmac("sha1", start, salt, 1_000, 32)
    padding = 16 - len(packed) % 16
    encryptor = Cipher(AES(key), CBC(vector)).encryptor()
    sealed = encryptor.update(packed + bytes(padding - 1) + bytes([padding])) + encryptor.finalize()
    manifest = (
        f'<m:manifest xmlns:m="{MANIFEST}"><m:file-entry m:full-path="content.xml" m:size="9">'
        f'<m:encryption-data m:checksum-type="{MANIFEST}#sha256-1k"'
        f' m:checksum="{coded(hashlib.sha256(packed[:1024]).digest())}"><m:algorithm'
        ' m:algorithm-name="http://www.w3.org/2001/04/xmlenc#aes256-cbc"'
        f' m:initialisation-vector="{coded(vector)}"/><m:key-derivation'
        ' m:key-derivation-name="PBKDF2" m:key-size="32" m:iteration-count="1000"'
        f' m:salt="{coded(salt)}"/><m:start-key-generation m:key-size="32"'
        ' m:start-key-generation-name="http://www.w3.org/2000/09/xmldsig#sha256"/>'
        "</m:encryption-data></m:file-entry></m:manifest>"
    )
    path = zipped("a.odt", {"content.xml": sealed, "META-INF/manifest.xml": manifest})
    assert load(OdfLoader, path, password="סיסמה").text == "open"
    with pytest.raises(LoadError, match="another password"):
        load(OdfLoader, path, password="x")


def test_a_package_encrypted_as_a_whole_opens(load, zipped):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("content.xml", content("open"))
    salt, vector = os.urandom(16), os.urandom(12)
    start = hashlib.sha256(b"secret").digest()
    key = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=8_192).derive(start)
    sealed = vector + AESGCM(key).encrypt(vector, inner.getvalue(), None)
    loext = "urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0"
    manifest = (
        f'<m:manifest xmlns:m="{MANIFEST}" xmlns:l="{loext}"><m:file-entry'
        ' m:full-path="encrypted-package" m:size="9"><m:encryption-data><m:algorithm'
        ' m:algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm"'
        f' m:initialisation-vector="{coded(vector)}"/><m:key-derivation'
        f' m:key-derivation-name="{loext[:-4]}:argon2id" m:key-size="32" l:argon2-iterations="3"'
        f' l:argon2-memory="8192" l:argon2-lanes="4" m:salt="{coded(salt)}"/>'
        '<m:start-key-generation m:start-key-generation-name="http://www.w3.org/2001/04/xmlenc#sha256"'
        ' m:key-size="32"/>'
        "</m:encryption-data></m:file-entry></m:manifest>"
    )
    path = zipped("a.odt", {"encrypted-package": sealed, "META-INF/manifest.xml": manifest})
    assert load(OdfLoader, path, password="secret").text == "open"
    with pytest.raises(LoadError, match="another password"):
        load(OdfLoader, path, password="x")
    with pytest.raises(LoadError, match="needs a password"):
        load(OdfLoader, path)


def test_keys_that_would_take_hours_are_not_derived(load, zipped):
    manifest = (
        f'<m:manifest xmlns:m="{MANIFEST}"><m:file-entry m:full-path="content.xml">'
        '<m:encryption-data><m:algorithm m:algorithm-name="aes256-cbc"/><m:key-derivation'
        ' m:key-derivation-name="PBKDF2" m:key-size="32" m:iteration-count="2000000000" m:salt=""/>'
        "</m:encryption-data></m:file-entry></m:manifest>"
    )
    path = zipped("a.odt", {"content.xml": b"x" * 64, "META-INF/manifest.xml": manifest})
    with pytest.raises(LoadError, match="cannot be opened here") as caught:
        load(OdfLoader, path, password="x")
    assert caught.value.reason == "encrypted"
