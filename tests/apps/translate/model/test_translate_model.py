import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.apps.translate.model.translator import Translator
from speaq.apps.translate.training import run as training_module
from speaq.apps.translate.training.learner import TranslationLearner
from speaq.apps.translate.training.measures import corpus_measures, sentence_chrf
from speaq.apps.translate.training.parallel import Pair, apart, both_ways
from speaq.apps.translate.training.recipe import TrainSettings
from speaq.apps.translate.training.run import Trained, train_translator
from speaq.apps.translate.training.samples import rated_samples
from speaq.apps.translate.training.token_batches import TokenBatches
from speaq.core.errors import DataError, ModelError, SettingsError, UnsafeFileError
from speaq.models.decoding import Decoding
from speaq.models.sources import load

ANIMALS = {"dog": "狗", "cat": "猫", "bird": "鸟", "horse": "马", "fish": "鱼"}
DEEDS = {"runs": "跑", "sleeps": "睡", "eats": "吃", "sings": "唱"}
PAIRS = [
    Pair(f"the {a} {b} .", f"那只{x}在{y}。", ("en", "zh"))
    for a, x in ANIMALS.items()
    for b, y in DEEDS.items()
]
SMALL = TrainSettings(
    model="tiny", vocabulary=420, steps=150, batch_tokens=256, dropout=0.0, smoothing=0.0,
    average=0.0, validations=3, lr=5e-3,
)  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """English to Chinese and back in one model."""
    pairs = both_ways(PAIRS)
    folder = tmp_path_factory.mktemp("both") / "run"
    return train_translator(pairs, pairs[::5], SMALL, folder=folder)


@pytest.fixture(scope="module")
def translator(both: Trained) -> Translator:
    return Translator.open(str(both.folder))


@pytest.fixture(scope="module")
def untrained() -> Translator:
    return Translator.open("new:marian-tiny")


def test_a_model_of_two_directions_learns_both(translator: Translator) -> None:
    assert translator.pairs == (("en", "zh"), ("zh", "en"))
    assert translator.languages == ("en", "zh")
    english, chinese = PAIRS[7].source, PAIRS[7].target
    [[there]] = translator.translate([english], source="en", target="zh")
    [[back]] = translator.translate([chinese], source="zh", target="en")
    assert (there.text, back.text) == (chinese, english)
    assert there.score > -0.5


@pytest.mark.parametrize(("source", "target"), [("fr", "zh"), ("en", "de"), ("zh", "zh"), ("", "")])
def test_a_pair_that_the_model_does_not_have_is_refused(
    translator: Translator, source: str, target: str
) -> None:
    with pytest.raises(SettingsError, match="en → zh") as error:
        translator.translate(["the dog"], source=source, target=target)
    assert "该模型可译" in error.value.zh


@pytest.mark.parametrize("prefix", ["那只猫", "The w", "x"])
def test_a_translation_begins_as_it_is_told(translator: Translator, prefix: str) -> None:
    [[found]] = translator.translate(
        ["the dog runs ."], source="en", target="zh", prefixes=[prefix]
    )
    assert found.text.startswith(prefix)
    assert len(found.token_ids) == len(found.token_logprobs) == len(found.tokens)


def test_prefixes_of_unlike_length_do_not_disturb_each_other(untrained: Translator) -> None:
    texts, prefixes = ["good day", "a", "狗在跑"], ["", "Gut", "Der Hu"]
    together = untrained.translate(texts, prefixes=prefixes, beam=2)
    for text, prefix, [found] in zip(texts, prefixes, together, strict=True):
        [[alone]] = untrained.translate([text], prefixes=[prefix], beam=2)
        n = len(alone.token_ids)
        assert found.text.startswith(prefix)
        # The longest a translation may get depends on what is beside it, its course does not.
        assert found.token_ids[:n] == alone.token_ids or alone.token_ids[:-1] == found.token_ids


def test_scores_are_those_of_the_model(untrained: Translator) -> None:
    for [first, second] in untrained.translate(["a b", "多长的句子"], beam=3, n_best=2):
        assert first.score >= second.score
        assert first.score == pytest.approx(np.mean(first.token_logprobs))
    model = load("new:marian-tiny")
    [[found]] = untrained.translate(["a b"], beam=2)
    source = model.encode_prompt("a b")
    written = [*model.opening, *found.token_ids]
    with torch.no_grad():
        hidden = model.hidden_states(torch.tensor([written[:-1]]), None, torch.tensor([source]))
        logits = model.output_layer(hidden)[0].log_softmax(-1)
    wanted = logits[torch.arange(len(found.token_ids)), torch.tensor(found.token_ids)]
    assert found.token_logprobs == pytest.approx(wanted.tolist(), abs=1e-4)


def test_special_tokens_in_a_text_are_text(translator: Translator) -> None:
    plain, odd = translator.tags.sources(translator.tokenizer, ["dog", "do</s><2en>g"], "en", "zh")
    assert odd.count(translator.tokenizer.eos_token_id) == 1
    assert odd[0] == plain[0]
    assert translator.tokenizer.convert_tokens_to_ids("<2en>") not in odd


def test_more_hypotheses_than_the_beam_holds_are_refused(untrained: Translator) -> None:
    with pytest.raises(SettingsError, match="n_best = 3"):
        untrained.translate(["a"], beam=2, n_best=3)
    assert untrained.translate([]) == []


def test_a_text_longer_than_the_model_reads_is_refused(untrained: Translator) -> None:
    with pytest.raises(DataError, match="split the text") as error:
        untrained.translate(["a" * 600])
    assert "请拆分文本" in error.value.zh


def test_a_decoder_is_no_translator() -> None:
    with pytest.raises(ModelError, match="does not translate"):
        Translator.open("new:tiny")


def test_quality_prefers_the_right_translation(translator: Translator) -> None:
    source = PAIRS[3].source
    right, wrong = translator.quality(
        [source, source], [PAIRS[3].target, PAIRS[12].target], source="en", target="zh"
    )
    assert 1 >= right > wrong > 0


def test_a_run_that_was_cut_off_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = TrainSettings(
        model="tiny", vocabulary=420, steps=8, batch_tokens=256, average=0.9, validations=4
    )
    train_translator(PAIRS, PAIRS[:3], short, folder=tmp_path / "whole")
    after = TranslationLearner.after_step

    def cut(self: TranslationLearner, step: int) -> None:
        after(self, step)
        if step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TranslationLearner, "after_step", cut)
        with pytest.raises(KeyboardInterrupt):
            train_translator(PAIRS, PAIRS[:3], short, folder=tmp_path / "cut")
    train_translator(PAIRS, PAIRS[:3], short, folder=tmp_path / "cut")
    whole, cut_off = (load(str(tmp_path / name / "model")) for name in ("whole", "cut"))
    for one, other in zip(whole.plain.parameters(), cut_off.plain.parameters(), strict=True):
        assert torch.equal(one, other)


def test_minutes_become_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticking = iter(range(10**6))
    monkeypatch.setattr(training_module, "clock", lambda: next(ticking) / 10)
    timed = TrainSettings(model="tiny", vocabulary=420, minutes=0.03, batch_tokens=256)
    made = train_translator(PAIRS, PAIRS[:3], timed, folder=tmp_path)
    steps = int((tmp_path / "steps.txt").read_text())
    assert steps >= made.steps > 0
    again = train_translator(PAIRS, PAIRS[:3], timed, folder=tmp_path)
    assert int((tmp_path / "steps.txt").read_text()) == steps
    assert again.validation_loss == made.validation_loss


def test_a_trained_model_is_gone_on_from(both: Trained, tmp_path: Path) -> None:
    more = TrainSettings(model=str(both.model), steps=2, batch_tokens=256, lr=1e-5)
    pairs = both_ways(PAIRS)
    made = train_translator(pairs, pairs[::5], more, folder=tmp_path / "more")
    assert made.validation_loss < both.validation_loss + 0.2
    assert Translator.open(str(made.folder)).pairs == (("en", "zh"), ("zh", "en"))


def test_pairs_that_are_all_too_long_are_refused(tmp_path: Path) -> None:
    short = TrainSettings(model="tiny", vocabulary=420, longest=3)
    with pytest.raises(DataError, match="at most 3 tokens") as error:
        train_translator(PAIRS, PAIRS[:2], short, folder=tmp_path)
    assert "词元" in error.value.zh


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=60),
    st.integers(30, 200),
    st.integers(0, 5),
)
@settings(deadline=None)
def test_batches_hold_every_pair_once_a_pass_and_no_more_than_the_limit(
    lengths: list[int], limit: int, seed: int
) -> None:
    replay = TokenBatches(lengths, limit, seed)
    count = replay.batches_per_pass
    passes = [replay.draw(step, 1).indices for step in range(count)]
    assert sorted(index for batch in passes for index in batch) == list(range(len(lengths)))
    for batch in passes:
        assert max(lengths[index] for index in batch) * len(batch) <= limit
    fresh = TokenBatches(lengths, limit, seed)
    assert fresh.draw(count + 1, 1).indices == replay.draw(count + 1, 1).indices


def test_samples_are_episodes_with_propensities_and_ratings(both: Trained) -> None:
    model = load(str(both.model))
    pairs = [Pair("那只狗在跑。", "the dog runs .", ("zh", "en"))]
    tags = Translator.open(str(both.folder)).tags
    drawn = rated_samples(model, pairs, 3, Decoding(max_new_tokens=16), seed=1, tags=tags)
    assert len(drawn) == 3
    for episode in drawn:
        assert episode.app == "translate"
        assert episode.prompt == "<2en>那只狗在跑。"
        [action] = episode.actions
        assert action.logprobs is not None
        assert len(action.logprobs) == len(action.token_ids or ())
        [said] = sentence_chrf([episode.reply.strip()], ["the dog runs ."])
        assert episode.feedback[0].value == pytest.approx(said / 100)


def test_chinese_is_measured_as_chinese_without_being_told() -> None:
    found, wanted = ["那只狗在跑。"], ["那只猫在跑。"]
    chinese = corpus_measures(found, wanted, "zh-Hans")
    assert "tok:zh" in chinese["signature"]
    assert chinese["bleu"] > 10
    english = corpus_measures(["The Dog runs today ."], ["the dog runs today ."], "en")
    assert "tok:13a" in english["signature"]
    assert english["bleu_lower"] == pytest.approx(100)
    assert english["bleu"] < 100
    assert "case:lc" in english["signature_lower"]
    with pytest.raises(DataError, match="as many"):
        corpus_measures(["a"], [], "en")


def test_training_pairs_whose_source_is_held_out_go() -> None:
    kept = apart(PAIRS, PAIRS[:2], PAIRS[5:6])
    assert len(kept) == len(PAIRS) - 3
    assert both_ways(kept)[len(kept)].languages == ("zh", "en")


def test_int8_translates_as_the_model_it_was_made_of(both: Trained, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="needs the extra fast")
    from speaq.apps.translate.model.converting import convert

    slow = Translator.open(str(both.folder))
    texts = [pair.source for pair in PAIRS]
    wanted = [best.text for [best] in slow.translate(texts, source="en", target="zh")]
    for precision, near in (("float32", 1e-3), ("int8", 0.1)):
        convert(both.model, tmp_path / precision, precision)  # type: ignore[arg-type]
        quick = Translator.open(str(tmp_path / precision))
        assert quick.pairs == slow.pairs
        found = [best.text for [best] in quick.translate(texts, source="en", target="zh")]
        assert sum(a == b for a, b in zip(found, wanted, strict=True)) >= 0.9 * len(wanted)
        one, other = (
            each.logprobs(["the dog runs ."], ["那只狗在跑。"], source="en", target="zh")[0]
            for each in (slow, quick)
        )
        assert one == pytest.approx(other, abs=near)
        [[begun]] = quick.translate(texts[:1], source="en", target="zh", prefixes=["那只猫"])
        assert begun.text.startswith("那只猫")
    size = [
        (folder / name).stat().st_size
        for folder, name in ((both.model, "model.safetensors"), (tmp_path / "int8", "model.bin"))
    ]
    assert size[1] < 0.45 * size[0]


def test_a_folder_of_the_fast_engine_with_anything_else_in_it_is_refused(
    both: Trained, tmp_path: Path
) -> None:
    pytest.importorskip("ctranslate2", reason="needs the extra fast")
    from speaq.apps.translate.model.converting import convert

    convert(both.model, tmp_path / "fast")
    (tmp_path / "fast" / "more.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(UnsafeFileError, match=r"more\.pkl"):
        Translator.open(str(tmp_path / "fast"))
    (tmp_path / "fast" / "more.pkl").unlink()
    (tmp_path / "fast" / "speaq_fast.json").unlink()
    with pytest.raises(ModelError, match="speaq translate convert"):
        Translator.open(str(tmp_path / "fast"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    with pytest.raises(ModelError, match="choose another name"):
        convert(both.model, tmp_path / "taken")


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NLLB's own tokenizer on a few letters, and a model of its architecture, untrained."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    signs = ["<s>", "<pad>", "</s>", "<unk>", "▁", "狗", "猫", *map(chr, range(33, 127))]
    tokenizer = NllbTokenizer(vocab={sign: n for n, sign in enumerate(signs)}, merges=[])
    config = M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("nllb")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        M2M100ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_of_the_hub_is_told_its_languages_in_its_own_codes(nllb: Path) -> None:
    translator = Translator.open(str(nllb))
    assert {("zh", "en"), ("en", "zh"), ("es", "ja"), ("de", "fr")} <= set(translator.pairs)
    tokenizer = translator.tokenizer
    [source] = translator.tags.sources(tokenizer, ["狗 a"], "zh-CN", "en")
    assert tokenizer.convert_ids_to_tokens(source)[0] == "zho_Hans"
    [begun] = translator.tags.begun(tokenizer, ["ab"], "zh", "en")
    assert tokenizer.convert_ids_to_tokens(begun) == ["eng_Latn", "▁", "a", "b"]
    [[found]] = translator.translate(["狗 a"], source="zh", target="en", prefixes=["ab"])
    assert found.text.startswith("ab")
    assert found.tokens[:3] == ("▁", "a", "b")
    with pytest.raises(SettingsError):
        translator.translate(["狗"], source="zh", target="xx")
    with pytest.raises(SettingsError, match="source and a target"):
        translator.translate(["狗"])


def test_the_folder_says_what_the_model_is(both: Trained) -> None:
    facts = json.loads((both.model / "speaq.json").read_text())
    assert facts["facts"]["translation"] == {"pairs": [["en", "zh"], ["zh", "en"]], "tagged": True}
    assert facts["origin"]["history"][-1]["step"] == "translate"


@pytest.mark.parametrize("text", ["那只狗在跑。", "the dog runs .", "a龘b🐕c", ""])
def test_the_ends_of_tokens_are_places_in_the_text(translator: Translator, text: str) -> None:
    [ends] = translator.ends([text], target="zh")
    [logprobs] = translator.logprobs(["the dog runs ."], [text], source="en", target="zh")
    assert len(ends) == len(logprobs) - 1
    assert ends == sorted(ends)
    assert (ends or [0])[-1] == len(text)
