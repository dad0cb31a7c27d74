from pathlib import Path

import numpy as np
import pytest

from speaq.apps.translate.checks.quality import FILE, QualityModel, figures, probability
from speaq.apps.translate.training.parallel import divided, read_pairs
from speaq.core.errors import DataError, ModelError

GERMAN = "Der Hund läuft heute über die grüne Wiese"
ENGLISH = "The dog runs across the green meadow today"


def test_invisible_signs_repeated_and_false_pairs_do_not_reach_training(tmp_path: Path) -> None:
    lines = [
        (f"{GERMAN}\x0b!", f"{ENGLISH}\u200b !"),
        (GERMAN, ENGLISH),
        (GERMAN, ENGLISH),
        (f"{GERMAN}!", f"{GERMAN}!"),
        ("Ja", f"{ENGLISH} and {ENGLISH} and {ENGLISH} and {ENGLISH}"),
        ("", "Nothing"),
    ]
    for side, name in enumerate(("train.de", "train.en")):
        text = "".join(f"{line[side]}\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    told: list[tuple[str, str]] = []
    files = [tmp_path / "train.de", tmp_path / "train.en"]
    pairs = read_pairs(files, tell=lambda en, zh: told.append((en, zh)))
    assert [(pair.source, pair.target) for pair in pairs] == [
        (f"{GERMAN} !", f"{ENGLISH} !"),
        (GERMAN, ENGLISH),
    ]
    assert pairs[0].languages == ("de", "en")
    [(english, chinese)] = told
    assert "4 of 6 pairs" in english
    assert "6 对中有 4 对" in chinese
    assert len(read_pairs(files, every_row=True)) == 6


def test_the_languages_of_a_table_are_recognised(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    rows = [("I will buy bread this morning.", "我今天早上要去买面包。")] + [
        (f"She has {n} brothers and sisters.", f"她有{n}个兄弟姐妹。") for n in range(2, 9)
    ]
    file.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    assert {pair.languages for pair in read_pairs([file])} == {("en", "zh")}
    said = read_pairs([file], source="en-US", target="zh_Hant")
    assert said[0].languages == ("en", "zh")


def test_a_memory_of_translations_is_read(tmp_path: Path) -> None:
    file = tmp_path / "memory.tmx"
    file.write_text(
        '<tmx version="1.4"><header srclang="en"/><body><tu>'
        '<tuv xml:lang="en"><seg>Good morning</seg></tuv>'
        '<tuv xml:lang="zh-CN"><seg>早上好</seg></tuv></tu></body></tmx>',
        encoding="utf-8",
    )
    [pair] = read_pairs([file])
    assert (pair.source, pair.target, pair.languages) == ("Good morning", "早上好", ("en", "zh"))


def test_files_without_translations_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("text,label\nhello there,greeting\ngood bye,parting\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.de train\.en") as error:
        read_pairs([file])
    assert "译文" in error.value.zh


def test_no_source_is_on_both_sides_of_a_division(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    lines = [
        f"sentence number {n} is here\t这是第{n}句，版本{m}\n" for n in range(60) for m in "ab"
    ]
    file.write_text("".join(lines), encoding="utf-8")
    pairs = read_pairs([file], source="en", target="zh")
    training, validation = divided(pairs, 3)
    assert len(training) + len(validation) == len(pairs)
    assert len(validation) == 6
    assert not {p.source for p in training} & {p.source for p in validation}


def test_people_s_scores_teach_what_certainty_means(tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    rows, scores = [], []
    for _ in range(200):
        logprobs = -stream.exponential(0.5, size=int(stream.integers(3, 30)))
        rows.append(figures(logprobs, 10))
        # One impossible word spoils a sentence, whatever the others are.
        scores.append(logprobs.min() + stream.normal(0, 0.1))
    judge = QualityModel.fit(rows[:150], scores[:150])
    said = [judge.estimate(row) for row in rows[150:]]
    plain = [row[0] for row in rows[150:]]
    assert np.corrcoef(said, scores[150:])[0, 1] > 0.95
    assert np.corrcoef(said, scores[150:])[0, 1] > np.corrcoef(plain, scores[150:])[0, 1] + 0.1
    judge.save(tmp_path)
    again = QualityModel.load(tmp_path)
    assert again is not None
    assert again.estimate(rows[0]) == pytest.approx(judge.estimate(rows[0]))
    (tmp_path / FILE).write_text('{"names": []}')
    with pytest.raises(ModelError, match="damaged") as error:
        QualityModel.load(tmp_path)
    assert "已损坏" in error.value.zh


def test_quality_is_a_probability_where_nobody_judged() -> None:
    assert probability([]) == 0
    assert probability([0.0, 0.0]) == 1
    assert probability([-1.0, -3.0]) == pytest.approx(np.exp(-2))
    with pytest.raises(DataError, match="at least 10"):
        QualityModel.fit([figures([-1.0], 1)] * 3, [1.0] * 3)
    with pytest.raises(DataError, match="without tokens"):
        figures([], 3)
