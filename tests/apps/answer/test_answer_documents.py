"""Documents of every kind, and the passages they are cut into."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.apps.answer.collecting import documents_in
from speaq.apps.answer.documents import LONGEST, Part, blanked, read_document
from speaq.apps.answer.passages import PassageSettings, cut, measure
from speaq.core.errors import DataError, SettingsError


def test_markup_is_blank_and_every_character_in_its_place(documents: Path) -> None:
    raw = (documents / "hours.html").read_text(encoding="utf-8")
    text = blanked(raw)
    assert len(text) == len(raw) and text.count("\n") == raw.count("\n")
    for word in ("Hours", "office is open", "nine", "noon."):
        assert text.index(word) == raw.index(word)
    assert "five &" in text and "closed" not in text and "<" not in text


@pytest.mark.parametrize(
    ("name", "held"), [("保修.txt", "三年"), ("pump.md", "Anna Keller"), ("hours.html", "nine")]
)
def test_the_offsets_of_text_are_those_of_the_file(documents: Path, name: str, held: str) -> None:
    [part] = read_document(documents / name)
    raw = (documents / name).read_text(encoding="utf-8")
    assert part.text.index(held) == raw.index(held)


def test_gbk_is_read(tmp_path: Path) -> None:
    (tmp_path / "旧.txt").write_bytes("设备的保修期是三年，请妥善保管。".encode("gbk"))
    assert "保修期是三年" in read_document(tmp_path / "旧.txt")[0].text


def test_a_table_gives_a_row_each(documents: Path) -> None:
    first, second = read_document(documents / "faq.csv")
    assert (first.question, first.text) == (
        "How do I reset the device?",
        "Hold the red button for ten seconds.",
    )
    assert (second.question, second.field, second.line, second.title) == (
        "怎么开发票？",
        "answer",
        3,
        "订单",
    )


def test_json_lines_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "7", "title": "Tea", "text": "Tea grows."}\n{"id": "8"}\n')
    first, second = read_document(file)
    assert (first.text, first.title, first.line, second.text) == ("Tea grows.", "Tea", 1, "8")


def test_pdf_and_word(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.add_paragraph("The valve is made of brass.")
    table = made.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "阀门", "黄铜"
    made.save(str(tmp_path / "a.docx"))
    [part] = read_document(tmp_path / "a.docx")
    assert part.text == "The valve is made of brass.\n阀门 | 黄铜"
    (tmp_path / "a.pdf").write_bytes(pdf_of("The valve is made of brass."))
    [page] = read_document(tmp_path / "a.pdf")
    assert (page.page, page.text.strip()) == (1, "The valve is made of brass.")


def test_a_scanned_pdf_says_so(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf_of(""))
    with pytest.raises(DataError, match=r"scan\.pdf.*a scan") as refused:
        read_document(tmp_path / "scan.pdf")
    assert "扫描件" in refused.value.zh


def pdf_of(text: str) -> bytes:
    """A PDF of one page with one line of text, or with none."""
    drawn = f"BT /F1 12 Tf 20 20 Td ({text}) Tj ET".encode() if text else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 100] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(made)
    made += b"xref\n0 6\n0000000000 65535 f \n"
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.txt", b"  \n", "no text"),
        ("a.exe", b"MZ", "not read"),
        ("bad.pdf", b"%PDF-1.4 nothing", "damaged"),
        ("bad.docx", b"PK nothing", "not a Word document"),
        ("paste.txt", b"a " * (LONGEST // 2 + 1), "5,000,0"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=said) as refused:
        read_document(tmp_path / name)
    assert name in refused.value.en and name in refused.value.zh


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden.txt").write_text("secret")
    with pytest.raises(DataError, match="no documents"):
        documents_in([tmp_path])


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text(f"Text of {folder}.")
    with pytest.raises(DataError, match="same name"):
        documents_in([tmp_path / "a", tmp_path / "b" / "x.txt"])
    assert [document.name for document, _ in documents_in([tmp_path])] == ["a/x.txt", "b/x.txt"]


def test_languages_of_documents_are_known(documents: Path) -> None:
    found = {document.name: document.language for document, _ in documents_in([documents])}
    assert (found["pump.md"], found["保修.txt"]) == ("en", "zh")


def test_a_document_of_two_languages_is_of_both(tmp_path: Path) -> None:
    text = "The pump was built in 1998 by Anna.\n\n专业版的保修期是三年。\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    [(document, _)] = documents_in([tmp_path / "a.txt"])
    assert document.language == "en,zh"


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="overlap"):
        PassageSettings(length=20, overlap=20)


PIECES = st.lists(
    st.sampled_from(
        ["The cat sat on the mat. ", "猫坐在垫子上。", "\n\n", "\n", "Why? ", "x" * 9 + " ", "3.5 "]
    ),
    max_size=60,
).map("".join)


@settings(deadline=None, max_examples=50)
@given(PIECES, st.integers(10, 40), st.integers(0, 9))
def test_passages_hold_every_word_once_and_are_not_too_long(
    text: str, length: int, overlap: int
) -> None:
    found = list(cut(Part(text), PassageSettings(length, overlap)))
    covered = [False] * len(text)
    for start, end in found:
        assert text[start:end] == text[start:end].strip() != ""
        assert measure(text[start:end]) <= length
        covered[start:end] = [True] * (end - start)
    assert all(seen or letter.isspace() for seen, letter in zip(covered, text, strict=True))
    assert found == sorted(found)


@pytest.mark.parametrize("sentence", ["One two three four five. ", "一二三四五。"])
def test_neighbours_of_one_paragraph_share_sentences(sentence: str) -> None:
    text = sentence * 8
    found = list(cut(Part(text), PassageSettings(length=20, overlap=5)))
    assert [end for _, end in found[:-1]] > [start for start, _ in found[1:]]
    assert all(text[start:end].startswith(sentence.strip()) for start, end in found)


def test_a_row_stays_whole() -> None:
    text = "One two three. " * 50
    assert list(cut(Part(text, field="answer"), PassageSettings(10, 0))) == [(0, len(text) - 1)]
