"""The classic chain, link by link: cepstra, n-grams, beam, and the training of a tiny engine."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.transcribe.acoustic import Acoustic, AcousticSettings, open_acoustic
from speaq.apps.transcribe.beam import BeamSettings, beam_search, best_path
from speaq.apps.transcribe.features import Cepstra, cosines, frames_of, log_mel, mel_filters, mfcc
from speaq.apps.transcribe.ngrams import END, counted, open_ngrams
from speaq.apps.transcribe.own import Own
from speaq.apps.transcribe.recordings import Recording, plain, read_recordings
from speaq.apps.transcribe.spelling import Spelling, spelling_of
from speaq.apps.transcribe.training import HearingSettings, train_acoustic
from speaq.core.errors import DataError, ModelError
from speaq.training.loop import LoopSettings

RATE = 8000


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def test_a_tone_is_loudest_in_the_filter_around_it():
    cepstra = Cepstra(RATE)
    found = log_mel(torch.from_numpy(tone(1000, 0.3))[None], cepstra)[0]
    # m(1000 Hz) = 1000, as the mel scale is made; m(4000 Hz) = 2146; centres are 2146/41 apart.
    wanted = round(1000 / (2595 * math.log10(1 + 4000 / 700) / 41)) - 1
    assert set(found.argmax(1).tolist()) == {wanted}


def test_filters_are_triangles_that_meet_at_their_centres():
    filters = mel_filters(Cepstra(16_000))
    assert filters.shape == (257, 40)
    inside = filters[3:-12].sum(1)
    assert inside.max() <= 1 + 1e-6
    assert filters.max(0).values.min() > 0.2


def test_cosines_are_orthonormal_and_the_first_is_the_mean():
    table = cosines(Cepstra(coefficients=40))
    assert torch.allclose(table.T @ table, torch.eye(40), atol=1e-5)
    energies = torch.rand(1, 40)
    assert (energies @ table)[0, 0] == pytest.approx(float(energies.sum()) / math.sqrt(40))


def test_twice_as_loud_moves_the_first_coefficient_only():
    cepstra = Cepstra(RATE)
    wave = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    apart = mfcc(2 * wave, cepstra) - mfcc(wave, cepstra)
    assert apart[..., 1:].abs().max() < 1e-3
    assert apart[..., 0].mean() == pytest.approx(2 * math.log(2) * math.sqrt(40), rel=1e-3)


@given(st.integers(1, 3000))
def test_frames_are_counted_as_they_are_made(samples):
    cepstra = Cepstra(RATE)
    assert mfcc(torch.zeros(1, samples), cepstra).shape[1] == int(
        frames_of(torch.tensor(samples), cepstra)
    )


def test_ngrams_are_a_distribution_and_know_what_they_read():
    model = counted(["七八九", "七八", "ab"], 3)
    letters = [*"七八九ab", END]
    for history in ("", "七", "七八", "x"):
        total = sum(math.exp(model.log_probability(each, history)) for each in letters)
        assert total == pytest.approx(1)
    # Witten and Bell by hand: after 七 came 八 twice; one kind.
    lower = math.exp(model.log_probability("八", "x"))
    assert math.exp(model.log_probability("八", "a七")) == pytest.approx((2 + lower) / 3)


def test_ngrams_are_kept(tmp_path: Path):
    model = counted(["one two", "二一"], 4)
    model.write(tmp_path)
    again = open_ngrams(tmp_path)
    assert again is not None
    assert again.log_probability("w", "one t") == model.log_probability("w", "one t")
    (tmp_path / "ngrams.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        open_ngrams(tmp_path)


def scores(rows: int, units: int, seed: int) -> np.ndarray:
    stream = np.random.default_rng(seed)
    return np.log(stream.dirichlet(np.ones(units + 1), rows)).astype(np.float32)


def all_texts(table: np.ndarray, letters: str) -> dict[str, float]:
    """P(text | sound) by adding up every path."""
    found: dict[str, float] = {}
    for path in itertools.product(range(len(letters) + 1), repeat=len(table)):
        text = "".join(letters[unit - 1] for unit, _ in itertools.groupby(path) if unit)
        chance = math.exp(sum(table[row, unit] for row, unit in enumerate(path)))
        found[text] = found.get(text, 0.0) + chance
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_likeliest_text_with_its_probability(seed):
    table = scores(5, 2, seed)
    found = beam_search(table, "ab", BeamSettings(width=200, weight=0, bonus=0))
    truth = all_texts(table, "ab")
    assert found[0].text == max(truth, key=lambda text: truth[text])
    for each in found[:10]:
        assert math.exp(each.score) == pytest.approx(truth[each.text], rel=1e-4)


def test_ngrams_decide_between_what_sounds_alike():
    table = np.log(np.full((3, 3), 1e-6, np.float32))
    table[0, 1] = math.log(0.51)
    table[0, 2] = math.log(0.49)
    table[1:, 0] = 0
    heard = beam_search(table, "ab", BeamSettings(weight=0, bonus=0))[0].text
    told = beam_search(table, "ab", BeamSettings(weight=1, bonus=0), counted(["b"] * 9, 2))[0].text
    assert (heard, told) == ("a", "b")


def test_the_best_path_drops_repetitions_and_blanks():
    path = [1, 1, 0, 1, 2, 2]
    table = np.log(np.full((6, 3), 0.1, np.float32))
    table[range(6), path] = 0
    found = best_path(table, "ab")
    assert (found.text, found.rows) == ("aab", (0, 3, 4))
    assert beam_search(table, "ab", BeamSettings(weight=0, bonus=0))[0].rows == (0, 3, 4)


def test_spelling_takes_letters_or_a_few_words():
    few = spelling_of(["yes", "no"] * 5, "words")
    assert few.read(few.spell("no yes no")) == "no yes no"
    assert len(few.spell("yes maybe")) == 1
    letters = spelling_of(["你好 吗"], "letters")
    assert letters.letters == " 你吗好"
    assert letters.read(letters.spell("好吗")) == "好吗"


def test_padding_changes_no_score():
    model = Acoustic(AcousticSettings(RATE, width=16), Spelling("ab ")).eval()
    short, long = torch.randn(4000), torch.randn(9000)
    waves = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    together, rows = model(waves, torch.tensor([4000, 9000]))
    alone, _ = model(short[None], torch.tensor([4000]))
    assert torch.allclose(together[0, : rows[0]], alone[0], atol=1e-4)


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """A CSV of recordings in a language of two words, each of which is a tone."""
    lines = ["path,text"]
    for number, (text, hertz) in enumerate([("ja", 400), ("nein", 1500)] * 4):
        name = f"{number}.wav"
        soundfile.write(tmp_path / name, tone(hertz + 10 * number, 0.3), RATE)
        lines.append(f"{name},{text}")
    file = tmp_path / "data.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


LOOP = LoopSettings(
    steps=80, batch_size=8, lr=1e-2, weight_decay=1e-2, checkpoint_every=40, log_every=40
)
SMALL = AcousticSettings(RATE, width=24, dropout=0)
ALONE = HearingSettings(joined=2, pause=0.05, units="words")


class KilledError(Exception):
    pass


def test_an_engine_learns_two_words_and_a_killed_run_is_the_same_run(tones, tmp_path):
    recordings = read_recordings(tones)
    torch.set_num_threads(1)
    made = train_acoustic(recordings, tmp_path / "whole", acoustic=SMALL, hearing=ALONE, loop=LOOP)
    engine = Own(made.folder)
    for text, hertz in (("ja", 410), ("nein", 1510)):
        [found] = engine.segments(tone(hertz, 0.3), "", "")
        assert found.text == text
        assert [word.text for word in found.words] == [text]

    def kill(step: int) -> None:
        if step == 65:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speaq.apps.transcribe.training.Hearing.after_step", lambda _, s: kill(s))
        with pytest.raises(KilledError):
            train_acoustic(recordings, tmp_path / "cut", acoustic=SMALL, hearing=ALONE, loop=LOOP)
    again = train_acoustic(recordings, tmp_path / "cut", acoustic=SMALL, hearing=ALONE, loop=LOOP)
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def test_a_damaged_acoustic_model_is_said_to_be_one(tmp_path):
    (tmp_path / "acoustic.json").write_text("{}")
    with pytest.raises(ModelError, match="no whole acoustic model"):
        open_acoustic(tmp_path)


def test_a_recording_too_short_for_its_text_is_named(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(300, 0.05), RATE)
    recordings = [Recording(tmp_path / "a.wav", "a very long sentence indeed")]
    with pytest.raises(DataError, match="too short for the text"):
        train_acoustic(recordings, tmp_path / "run", acoustic=SMALL)


def test_what_can_be_heard_of_a_text():
    assert plain("Don't  STOP, now!") == "don't stop now"
    assert plain("你好，世界！ ok") == "你好世界 ok"


def test_kaldi_folders_and_digits_are_read(tmp_path):
    soundfile.write(tmp_path / "7_jackson_12.wav", tone(300, 0.3), RATE)
    [found] = read_recordings(tmp_path)
    assert (found.text, found.speaker, found.number) == ("seven", "jackson", 12)
    (tmp_path / "wav.scp").write_text("u1 7_jackson_12.wav\n", encoding="utf-8")
    (tmp_path / "text").write_text("u1 七\n", encoding="utf-8")
    [found] = read_recordings(tmp_path)
    assert found.text == "七"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "wav.scp and text"),
        ({"wav.scp": "u1 a.wav", "text": "u2 hello"}, "row 1: 'u1' has no line"),
        ({"wav.scp": "u1 sox a.wav |", "text": "u1 hello"}, "commands are not run"),
        ({"wav.scp": "u1 a.wav", "text": "u1 hello"}, "field 'path': there is no file"),
        ({"wav.scp": "u1 a.wav"}, "there is no such file"),
    ],
)
def test_bad_recordings_are_refused(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_recordings(tmp_path)
    assert said in refused.value.en
