"""Files keep everything but their words."""

import io
from collections.abc import Sequence
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.translate.files.documents import read_document, suffixes, translate_file, wrapped
from speaq.core.errors import DataError

_SRT = (
    "1\r\n00:00:01,000 --> 00:00:02,500\r\nEin Hund\r\nläuft.\r\n\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000 X1:5\r\n- Hallo?\r\n- <i>Ja!</i>\r\n\r\n"
    "3\r\n00:00:05,000 --> 00:00:06,000\r\n一只狗\r\n在跑。\r\n"
)
_VTT = (
    "WEBVTT - Titel\n\nNOTE nicht übersetzen\n\n00:01.000 --> 00:02.000 align:start\nEin Hund\n\n"
    "name\n00:00:03.000 --> 00:00:04.000\nZwei Hunde\n"
)
_PO = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n#: a.py:1\nmsgid "Dog"\nmsgstr ""\n\n'
    'msgid "Cat"\nmsgstr "Katze"\n\nmsgid "%d dog"\nmsgid_plural "%d dogs"\nmsgstr[0] ""\n'
    'msgstr[1] ""\n'
)


def shouted(texts: Sequence[str]) -> list[str]:
    return [text.upper() for text in texts]


def made(text: str | bytes, name: str) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    document = read_document(data, name)
    return document.made(shouted(document.texts)).decode()


@pytest.mark.parametrize(
    ("name", "text", "texts", "translated"),
    [
        ("a.txt", "Ein Hund.\n\nZwei.", ["Ein Hund.\n\nZwei."], "EIN HUND.\n\nZWEI."),
        (
            "a.srt",
            _SRT,
            ["Ein Hund läuft.", "- Hallo?", "- <i>Ja!</i>", "一只狗在跑。"],
            _SRT.replace("Ein Hund\r\nläuft.", "EIN HUND\r\nLÄUFT.")
            .replace("Hallo", "HALLO")
            .replace("<i>Ja!</i>", "<I>JA!</I>"),
        ),
        (
            "a.vtt",
            _VTT,
            ["Ein Hund", "Zwei Hunde"],
            _VTT.replace("Ein Hund", "EIN HUND").replace("Zwei Hunde", "ZWEI HUNDE"),
        ),
        (
            "a.html",
            '<p class="a&b">Ein <b>Hund</b> &amp; mehr</p><script>x</script>\n',
            ["Ein <b>Hund</b> & mehr"],
            '<p class="a&b">EIN <B>HUND</B> &amp; MEHR</p><script>x</script>\n',
        ),
        (
            "a.tsv",
            'name\ttext\n1\tein "Hund"\n2\tzwei\n',
            ['ein "Hund"', "zwei"],
            'name\ttext\n1\tEIN "HUND"\n2\tZWEI\n',
        ),
        (
            "a.csv",
            'name,text\r\n1,"ein, Hund"\r\n2,zwei\r\n',
            ["ein, Hund", "zwei"],
            'name,text\r\n1,"EIN, HUND"\r\n2,ZWEI\r\n',
        ),
    ],
)
def test_only_the_words_change(name: str, text: str, texts: list[str], translated: str) -> None:
    assert list(read_document(text.encode(), name).texts) == texts
    assert made(text, name) == translated


def test_a_catalogue_keeps_what_is_translated_and_marks_what_is_new() -> None:
    assert list(read_document(_PO.encode(), "a.po").texts) == ["Dog", "%d dog", "%d dogs"]
    text = made(_PO, "a.po")
    assert '#, fuzzy\nmsgid "Dog"\nmsgstr "DOG"' in text
    assert 'msgid "Cat"\nmsgstr "Katze"' in text
    assert 'msgstr[0] "%D DOG"\nmsgstr[1] "%D DOGS"' in text


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_a_file_stays_in_its_encoding(encoding: str) -> None:
    text = "一只狗在雪地里奔跑。" * 20
    document = read_document(text.encode(encoding), "a.txt")
    assert document.made(["两只狗"]).decode(encoding) == "两只狗"


def test_what_an_encoding_cannot_write_becomes_an_entity_or_utf_8() -> None:
    page = read_document("<p>Überraschend schöne Häuser für Müller</p>".encode("cp1252"), "a.html")
    assert page.made(["狗"]) == b"<p>&#29399;</p>"
    text = read_document("Überraschend schöne Häuser für Müller".encode("cp1252"), "a.txt")
    assert text.made(["狗"]) == "狗".encode()


def word_file() -> bytes:
    file = docx.Document()
    paragraph = file.add_paragraph("Ein ")
    paragraph.add_run("roter").bold = True
    paragraph.add_run(" Hund")
    paragraph.add_run(" läuft.")
    file.add_paragraph("123")
    file.add_table(1, 1).cell(0, 0).text = "Zelle"
    file.sections[0].header.paragraphs[0].text = "Kopf"
    stream = io.BytesIO()
    file.save(stream)
    return stream.getvalue()


def test_word_keeps_looks_tables_and_headers() -> None:
    document = read_document(word_file(), "a.docx")
    assert list(document.texts) == ["Ein <r1>roter</r1> Hund läuft.", "Zelle", "Kopf"]
    said = ["A dog that is <r1>red</r1> runs.", "Cell", "Head"]
    file = docx.Document(io.BytesIO(document.made(said)))
    assert [(run.text, run.bold) for run in file.paragraphs[0].runs] == [
        ("A dog that is ", None),
        ("red", True),
        (" runs.", None),
    ]
    assert file.paragraphs[1].text == "123"
    assert file.tables[0].cell(0, 0).text == "Cell"
    assert file.sections[0].header.paragraphs[0].text == "Head"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xyz", b"x"),
        ("a.docx", b"no zip"),
        ("a.srt", b"no times"),
        ("a.po", b'msgid "unclosed\nnonsense here\n'),
        ("a.po", b"# nothing\n"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(DataError) as refused:
        read_document(data, name)
    assert name in refused.value.en
    assert refused.value.zh != refused.value.en


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ein Hund", encoding="utf-8")

    def fails(texts: Sequence[str]) -> list[str]:
        raise DataError("no", "否")

    with pytest.raises(DataError):
        translate_file(tmp_path / "a.txt", tmp_path / "b.txt", fails)
    assert not (tmp_path / "b.txt").exists()
    translate_file(tmp_path / "a.txt", tmp_path / "b.txt", shouted)
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == "EIN HUND"
    assert {".srt", ".docx", ".html"} <= set(suffixes())


@given(
    st.lists(st.sampled_from(["a", "bcd", "efghij"]), min_size=1, max_size=12), st.integers(1, 3)
)
def test_lines_of_a_subtitle_hold_all_its_words(words: list[str], lines: int) -> None:
    made = wrapped(" ".join(words), lines)
    assert len(made) == min(lines, len(words))
    assert " ".join(made).split() == words
    assert "".join(wrapped("一只狗在跑", 2)) == "一只狗在跑"
