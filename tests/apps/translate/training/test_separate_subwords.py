"""Translators that read one vocabulary and write another."""

from pathlib import Path
from typing import Any

import pytest
import torch

from speaq.apps.translate.model.translator import Translator
from speaq.apps.translate.training.parallel import Pair, both_ways
from speaq.apps.translate.training.recipe import TrainSettings
from speaq.apps.translate.training.run import Trained, train_translator
from speaq.apps.translate.training.samples import rated_samples
from speaq.cli import main
from speaq.core.errors import SettingsError
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.sources import load
from speaq.models.two_vocabularies import TwoTokenizers

ANIMALS = {"dog": "狗", "cat": "猫", "bird": "鸟", "horse": "马", "fish": "鱼"}
DEEDS = {"runs": "跑", "sleeps": "睡", "eats": "吃", "sings": "唱"}
PAIRS = [
    Pair(f"the {a} {b} .", f"那只{x}在{y}。", ("en", "zh"))
    for a, x in ANIMALS.items()
    for b, y in DEEDS.items()
]
SMALL = TrainSettings(
    model="tiny", subwords="separate", vocabulary=330, steps=150, batch_tokens=256, dropout=0.0,
    smoothing=0.0, average=0.0, validations=3, lr=2e-3,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("separate") / "run"
    return train_translator(PAIRS, PAIRS[::5], SMALL, folder=folder)


@pytest.fixture(scope="module")
def translator(trained: Trained) -> Translator:
    return Translator.open(str(trained.folder))


def translations(translator: Translator) -> list[str]:
    found = translator.translate([p.source for p in PAIRS], source="en", target="zh")
    return [best.text for [best] in found]


def test_each_side_has_subwords_of_its_own(translator: Translator) -> None:
    tokenizer: Any = translator.tokenizer
    assert isinstance(tokenizer, TwoTokenizers)
    read = tokenizer("the dog", add_special_tokens=False).input_ids
    written = tokenizer(text_target="那只狗", add_special_tokens=False).input_ids
    assert len(read) <= 3 and len(written) <= 3
    # Of the other language neither side learnt anything but its bytes.
    assert len(tokenizer("那只狗", add_special_tokens=False).input_ids) == 9
    assert len(tokenizer(text_target="the dog", add_special_tokens=False).input_ids) == 7
    assert tokenizer.decode(written) == "那只狗"


def test_it_learns_and_is_opened_again(trained: Trained, translator: Translator) -> None:
    right = sum(a == p.target for a, p in zip(translations(translator), PAIRS, strict=True))
    assert right >= 18
    [[begun]] = translator.translate(["the dog runs ."], source="en", prefixes=["那只猫"])
    assert begun.text.startswith("那只猫")
    assert begun.tokens[-1] == "</s>"
    one, two = translator.quality(
        ["the dog runs ."] * 2, [PAIRS[0].target, PAIRS[9].target], source="en", target="zh"
    )
    assert one > two
    model = load(str(trained.model))
    assert model.plain.config.model_type == "marian"
    assert model.output_table.shape[0] == len(model.tokenizer)


def test_stock_transformers_opens_it(trained: Trained, translator: Translator) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model: Any = AutoModelForSeq2SeqLM.from_pretrained(trained.model)
    reads = AutoTokenizer.from_pretrained(trained.model)
    writes = AutoTokenizer.from_pretrained(trained.model / "target")
    given = reads(PAIRS[3].source, return_tensors="pt")
    made = model.generate(
        input_ids=given.input_ids,
        attention_mask=given.attention_mask,
        num_beams=4,
        max_new_tokens=20,
    )
    assert writes.decode(made[0], skip_special_tokens=True) == translations(translator)[3]


def test_int8_translates_as_the_model_it_was_made_of(
    trained: Trained, translator: Translator, tmp_path: Path
) -> None:
    pytest.importorskip("ctranslate2", reason="needs the extra fast")
    from speaq.apps.translate.model.converting import convert

    for precision, near in (("float32", 1e-3), ("int8", 0.1)):
        convert(trained.model, tmp_path / precision, precision)  # type: ignore[arg-type]
        quick = Translator.open(str(tmp_path / precision))
        same = zip(translations(quick), translations(translator), strict=True)
        assert sum(a == b for a, b in same) >= 18
        one, other = (
            each.logprobs(["the dog runs ."], ["那只狗在跑。"], source="en", target="zh")[0]
            for each in (translator, quick)
        )
        assert one == pytest.approx(other, abs=near)
        [[begun]] = quick.translate(["the dog runs ."], prefixes=["那只猫"])
        assert begun.text.startswith("那只猫")


@torch.no_grad()
def test_a_value_folds_into_it(trained: Trained, tmp_path: Path) -> None:
    model = load(str(trained.model))
    model.with_head(HeadSettings("tied"))
    stream = torch.Generator().manual_seed(0)
    for weight in model.require_head().parameters():
        weight.copy_(torch.randn(weight.shape, generator=stream) * 0.1)
    folded = model.fold(1.5)
    folded.save(tmp_path / "folded")
    opened = load(str(tmp_path / "folded"))
    source = torch.tensor([model.encode_prompt(PAIRS[0].source)])
    tokens = torch.tensor([[*model.opening, *model.encode(PAIRS[0].target)]])
    states = model.hidden_states(tokens, None, source)
    delta = model.require_head().output_delta()
    wanted = (model.output_layer(states) + 1.5 * states @ delta.T).log_softmax(-1)
    for made in (folded, opened):
        found = made.output_layer(made.hidden_states(tokens, None, source)).log_softmax(-1)
        assert torch.nan_to_num(found - wanted, nan=0.0).abs().max() < 1e-4


def test_samples_are_in_the_tokens_that_are_written(trained: Trained) -> None:
    model = load(str(trained.model))
    for episode in rated_samples(model, PAIRS[:2], 2, Decoding(max_new_tokens=16), seed=1):
        [action] = episode.actions
        assert model.decode(action.token_ids or ()) == action.text


def test_a_run_is_gone_on_from_and_several_pairs_have_tags(
    trained: Trained, tmp_path: Path
) -> None:
    more = TrainSettings(model=str(trained.model), steps=2, batch_tokens=256, lr=1e-5)
    made = train_translator(PAIRS, PAIRS[::5], more, folder=tmp_path / "more")
    assert made.validation_loss < trained.validation_loss + 0.2
    pairs = both_ways(PAIRS)
    short = TrainSettings(
        model="tiny", subwords="separate", vocabulary=420, steps=3, batch_tokens=256
    )
    both = train_translator(pairs, pairs[::5], short, folder=tmp_path / "both")
    translator = Translator.open(str(both.folder))
    assert translator.pairs == (("en", "zh"), ("zh", "en"))
    [ids] = translator.tags.sources(translator.tokenizer, ["dog"], "en", "zh")
    tokenizer: Any = translator.tokenizer
    assert tokenizer.source.convert_ids_to_tokens(ids)[0] == "<2zh>"
    [prompt] = rated_samples(
        load(str(both.model)), pairs[:1], 1, Decoding(max_new_tokens=4), seed=0,
        tags=translator.tags,
    )  # fmt: skip
    assert load(str(both.model)).encode_prompt(prompt.prompt)[0] == ids[0]


def test_the_choice_is_an_option_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{pair.source}\t{pair.target}" for pair in PAIRS)
    Path("pairs.tsv").write_text(f"en\tzh\n{rows}\n", encoding="utf-8")
    options = "--model tiny --vocabulary 330 --steps 2 --batch-tokens 256"
    command = ["translate", "train", "pairs.tsv", *options.split(), "--folder", "run"]
    assert main([*command, "--subwords", "separate"]) == 0
    assert (tmp_path / "run" / "model" / "target" / "tokenizer.json").is_file()
    with pytest.raises(SystemExit):
        main([*command, "--subwords", "shared"])
    capsys.readouterr()
    with pytest.raises(SettingsError, match=r"joint \| separate"):
        TrainSettings(subwords="shared")  # type: ignore[arg-type]
