"""Encoder–decoder models: what is read, what is drawn, guided, folded, saved."""

import json
import math
import subprocess
import sys

import pytest
import torch

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.models.chat import Message, continuation, opening
from speaq.models.decoding import Decoding, guide
from speaq.models.guidance import Guidance
from speaq.models.head import HeadSettings
from speaq.models.prefill import prefill
from speaq.models.sampling import sample
from speaq.models.sources import load
from speaq.serving.generation import draw_tokens
from speaq.serving.heat import token_heat

FAMILIES = ["t5", "t5-untied", "marian", "bart", "m2m"]
TEXTS = ["abc", "h", "abc", "gfedcba"]
WAYS = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 0.7, "top_k": 6, "top_p": 0.9},
    "beams": {"do_sample": False, "num_beams": 3},
}


def replies(model, count=3, length=7, seed=0):
    stream = torch.Generator().manual_seed(seed)
    drawn = torch.randint(4, 12, (count, length), generator=stream)
    return torch.cat([torch.tensor([model.opening] * count), drawn], 1)


def sources(model, texts=("abc", "h", "gfedcba")):
    """Tokens and mask as `transformers` makes them, and the lengths."""
    made = model.tokenizer(list(texts), return_tensors="pt", padding=True)
    return made.input_ids, made.attention_mask, made.attention_mask.sum(1)


def stock_logits(model, source, mask, tokens):
    return model.causal(input_ids=source, attention_mask=mask, decoder_input_ids=tokens).logits


def served(model, logits):
    """Log-probabilities of what `generate` may write."""
    banned = torch.tensor(model.readout.banned, dtype=torch.long)
    return torch.log_softmax(logits.index_fill(-1, banned, -torch.inf), -1)


def gap(one, other):
    return torch.nan_to_num(one - other, nan=0.0).abs().max().item()


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_logits_of_the_states_are_the_models_own_bits(two_halves, family):
    model = two_halves(family)
    source, mask, lengths = sources(model)
    tokens = replies(model)
    expected = stock_logits(model, source, mask, tokens)
    states = model.hidden_states(tokens, source=source, source_lengths=lengths)
    found = model.output_layer(states)
    kept = [i for i in range(12) if i not in model.readout.banned]
    assert torch.equal(found[..., kept], expected[..., kept])
    assert found[..., list(model.readout.banned)].eq(-torch.inf).all()
    table = states @ model.output_table.T
    torch.testing.assert_close(table, expected, atol=1e-5, rtol=1e-5)


def test_what_each_family_does_after_its_last_state_is_found(two_halves):
    found = {family: two_halves(family).readout for family in FAMILIES}
    scales = {family: readout.scale for family, readout in found.items()}
    assert scales == {"t5": 32**-0.5, "t5-untied": 1, "marian": 1, "bart": 1, "m2m": 1}
    assert [family for family in FAMILIES if found[family].constant] == ["marian"]
    assert [family for family in FAMILIES if found[family].banned] == ["marian", "m2m"]
    assert two_halves("m2m").opening == (1, 3) and two_halves("bart").opening == (0,)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_padding_of_sources_and_replies_changes_no_state(two_halves, family):
    model = two_halves(family)
    source, _, lengths = sources(model)
    tokens = replies(model)
    found = model.hidden_states(tokens, torch.tensor([8, 8, 5]), source, lengths)
    for row, length in enumerate(lengths):
        alone = model.hidden_states(tokens[row : row + 1], source=source[row : row + 1, :length])
        torch.testing.assert_close(found[row], alone[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_prefill_equals_reading_each_source_alone(two_halves, family):
    model = two_halves(family)
    prompts = [model.encode_prompt(text) for text in TEXTS]
    reading = prefill(model, prompts)
    hidden = reading.hidden
    rest = torch.tensor([[4, 5, 6], [7, 8, 0], [9, 9, 9], [5, 4, 4]])
    first = reading.extend(rest, torch.tensor([3, 2, 3, 3]))
    reading.keep(torch.tensor([0, 3]))
    later = reading.extend(torch.tensor([[8], [9]]))
    for row, prompt in enumerate(prompts):
        tokens = [*model.opening, *rest[row].tolist()]
        alone = model.hidden_states(torch.tensor([tokens]), source=torch.tensor([prompt]))[0]
        start = len(model.opening)
        torch.testing.assert_close(hidden[row], alone[start - 1], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(first[row, :2], alone[start : start + 2], atol=1e-5, rtol=1e-4)
    for place, row, token in ((0, 0, 8), (1, 3, 9)):
        tokens = torch.tensor([[*model.opening, *rest[row].tolist(), token]])
        alone = model.hidden_states(tokens, source=torch.tensor([prompts[row]]))[0, -1]
        torch.testing.assert_close(later[place, 0], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_propensities_are_the_stock_models_log_probabilities(two_halves, family):
    model = two_halves(family)
    prompts = [model.encode_prompt(text) for text in TEXTS]
    drawn = sample(model, prompts, 3, Decoding(max_new_tokens=9), seed=1)
    assert len({each.token_ids for each in drawn}) > 3
    for each in drawn:
        start = len(model.opening)
        tokens = torch.tensor([[*model.opening, *each.token_ids]])
        source = torch.tensor([prompts[each.prompt]])
        logits = stock_logits(model, source, torch.ones_like(source), tokens)[0, start - 1 : -1]
        chosen = torch.tensor(each.token_ids)[:, None]
        expected = served(model, logits).gather(1, chosen)[:, 0]
        torch.testing.assert_close(torch.tensor(each.logprobs), expected, atol=1e-5, rtol=1e-5)
        assert each.finished == (each.token_ids[-1] == model.end_id)
        assert not set(each.token_ids) & set(model.readout.banned)


def test_a_source_is_read_once_and_a_reply_does_not_depend_on_its_batch(two_halves):
    model = two_halves("marian")
    prompts = [model.encode_prompt(text) for text in TEXTS]
    assert model.readout.constant  # finding this out reads a source, too
    read = []
    hook = model.causal.get_encoder().register_forward_hook(
        lambda _, inputs, output: read.append(output.last_hidden_state.shape[0])
    )
    decoding = Decoding(max_new_tokens=6)
    together = sample(model, prompts, 4, decoding, seed=3)
    hook.remove()
    assert read == [3]  # "abc" is asked twice
    alone = sample(model, prompts[3:], 4, decoding, seed=3)
    assert [each.token_ids for each in alone] == [each.token_ids for each in together[12:]]


def test_what_was_first_looked_at_while_sampling_can_be_learnt_with(two_halves):
    model = two_halves("marian")
    prompt = model.encode_prompt("ab")
    drawn = sample(model, [prompt], 1, Decoding(max_new_tokens=4), seed=0)[0]
    head = model.with_head(HeadSettings()).require_head()
    tokens = torch.tensor([[*model.opening, *drawn.token_ids]])
    with torch.no_grad():
        states = model.hidden_states(tokens, source=torch.tensor([prompt]))[0, :-1]
    head.advantages(states).square().sum().backward()
    assert torch.isfinite(head.projection.grad).all()


def test_serving_draws_and_explains_the_same_policy(two_halves, with_random_head):
    model = with_random_head(two_halves("marian"), HeadSettings("linear"))
    prompt = model.encode_prompt("bad")
    drawn = list(draw_tokens(model, prompt, Decoding(max_new_tokens=6), beta=1.5, seed=2))
    heat = token_heat(model, prompt, [each.token_id for each in drawn], beta=1.5)
    for token, told in zip(drawn, heat, strict=True):
        assert told.chosen.guided == pytest.approx(math.exp(token.logprob), abs=1e-5)


def generated(causal, model, way, processors=(), length=8):
    source, mask, _ = sources(model)
    torch.manual_seed(3)
    return causal.generate(
        input_ids=source,
        attention_mask=mask,
        **WAYS[way],
        max_new_tokens=length,
        return_dict_in_generate=True,
        output_scores=True,
        logits_processor=list(processors),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", WAYS)
def test_guidance_by_zero_changes_no_bit(two_halves, with_random_head, family, way):
    model = with_random_head(two_halves(family), HeadSettings())
    plain = generated(model.causal, model, way)
    with Guidance(model, 0.0) as guidance:
        guided = generated(model.causal, model, way, [guidance])
    assert torch.equal(plain.sequences, guided.sequences)
    for one, other in zip(plain.scores, guided.scores, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["tied", "low-rank"])
@pytest.mark.parametrize("way", WAYS)
def test_guided_decoding_is_decoding_of_the_folded_model(
    two_halves, with_random_head, family, kind, way
):
    model = with_random_head(two_halves(family), HeadSettings(kind), scale=0.3)
    plain = generated(model.causal, model, way)
    with Guidance(model, 2.0) as guidance, torch.no_grad():
        guided = generated(model.causal, model, way, [guidance])
    folded = generated(model.fold(2.0).causal, model, way)
    assert torch.equal(guided.sequences, folded.sequences)
    moved = [gap(*pair) for pair in zip(guided.scores, plain.scores, strict=False)]
    assert max(moved) > 0.1  # the guidance is no trifle
    if way == "beams":
        torch.testing.assert_close(
            guided.sequences_scores, folded.sequences_scores, atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["tied", "linear", "low-rank"])
@torch.no_grad()
def test_folded_logits_are_the_guided_ones(two_halves, with_random_head, family, kind):
    model = with_random_head(two_halves(family), HeadSettings(kind, members=2), scale=0.3)
    source, mask, lengths = sources(model)
    tokens = replies(model)
    before = stock_logits(model, source, mask, tokens)
    states = model.hidden_states(tokens, source=source, source_lengths=lengths).flatten(0, 1)
    advantages = model.require_head().advantages(states)
    guided = guide(model.output_layer(states), advantages, 2.0).log_softmax(-1)
    folded = model.fold(2.0)
    found = served(folded, stock_logits(folded, source, mask, tokens)).flatten(0, 1)
    assert gap(guided, found) < 1e-4
    assert gap(served(model, before).flatten(0, 1), found) > 0.1  # the guidance is no trifle
    assert torch.equal(stock_logits(model, source, mask, tokens), before)
    unmoved = stock_logits(model.fold(0.0), source, mask, tokens)
    torch.testing.assert_close(unmoved, before, atol=1e-6, rtol=1e-6)
    if family != "t5":  # there a scale goes into the weights, and is rounded once
        assert torch.equal(unmoved, before)


@torch.no_grad()
def test_folding_shares_the_trunk_and_unties_what_the_file_needs(two_halves, with_random_head):
    model = with_random_head(two_halves("bart"), HeadSettings(), scale=0.3)
    folded = model.fold(1.0)
    ours, theirs = (dict(each.causal.named_parameters()) for each in (model, folded))
    new = {name for name, weight in theirs.items() if weight is not ours.get(name)}
    assert new == {
        "lm_head.weight",
        "model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
    }
    assert model.causal.config.tie_word_embeddings is True
    assert folded.causal.config.tie_word_embeddings is False
    assert model.output_table is model.causal.get_input_embeddings().weight


STOCK = """
import json, sys
sys.modules["speaq"] = None  # an import of it now raises
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
torch.set_num_threads(1)
texts = []
for folder in sys.argv[2:]:
    model, notes = AutoModelForSeq2SeqLM.from_pretrained(folder, output_loading_info=True)
    made = AutoTokenizer.from_pretrained(folder)(sys.argv[1], return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(input_ids=made.input_ids, max_new_tokens=12, do_sample=False)
    texts.append([tokens[0].tolist(), sorted(notes["missing_keys"])])
print(json.dumps(texts))
"""


def test_stock_transformers_runs_folded_folders(two_halves, with_random_head, tmp_path):
    expected = []
    for family in FAMILIES:
        model = with_random_head(two_halves(family), HeadSettings(), scale=0.3)
        folded = model.fold(2.0)
        folded.save(tmp_path / family)
        source = torch.tensor([model.encode_prompt("badge")])
        with Guidance(model, 2.0) as guidance, torch.no_grad():
            made = model.causal.generate(
                input_ids=source, max_new_tokens=12, do_sample=False, logits_processor=[guidance]
            )
        expected.append([made[0].tolist(), []])
        again = load(tmp_path / family)
        read = source.expand(3, -1)
        with torch.no_grad():
            logits = [stock_logits(each, read, None, replies(model)) for each in (folded, again)]
        assert torch.equal(*logits)
        assert again.origin.history[-1]["beta"] == 2.0
    folders = [str(tmp_path / family) for family in FAMILIES]
    command = [sys.executable, "-c", STOCK, "badge", *folders]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert found == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_a_guided_folder_opens_with_its_head(two_halves, with_random_head, family, tmp_path):
    model = with_random_head(two_halves(family), HeadSettings("low-rank"), scale=0.3)
    model.save(tmp_path / "guided")
    again = load(tmp_path / "guided")
    decoding = Decoding(max_new_tokens=6)
    prompts = [model.encode_prompt("ace")]
    assert sample(again, prompts, 4, decoding, seed=0, beta=2.0) == sample(
        model, prompts, 4, decoding, seed=0, beta=2.0
    )
    card = (tmp_path / "guided" / "README.md").read_text()
    assert "text2text-generation" in card


def test_prompts_are_plain_text_with_the_tokenizers_own_marks(two_halves):
    model = two_halves("t5")
    said = [Message("system", "ab"), Message("user", "c")]
    assert opening(model, said) == model.tokenizer("abc").input_ids == [4, 5, 6, 1]
    assert model.encode("abc") == [4, 5, 6]
    assert model.context([4, 1]) == ((4, 1), (0,))
    assert load("new:tiny").context([4, 1]) == ((), (4, 1))


def test_conversations_are_refused(two_halves):
    model = two_halves("t5")
    with pytest.raises(ModelError, match="reads one text and writes one reply"):
        opening(model, [Message("user", "a"), Message("assistant", "b"), Message("user", "c")])
    with pytest.raises(ModelError, match="use a decoder-only model"):
        continuation(model, [Message("user", "a")], "b", True, [Message("user", "c")])


def test_room_counts_source_and_reply_apart(two_halves):
    m2m, t5 = two_halves("m2m"), two_halves("t5")
    assert (m2m.context_length, m2m.room(20), m2m.room(31)) == (32, 30, 30)
    assert t5.room(10**6) > 10**6  # relative positions know no end
    with pytest.raises(DataError, match=r"33 tokens and m2m\S* reads 32; split the text"):
        prefill(m2m, [[4] * 33])
    with pytest.raises(SettingsError, match="lower max_new_tokens"):
        sample(m2m, [[4, 1]] * 4, 4, Decoding(max_new_tokens=40), seed=0)


def test_logits_changed_in_another_way_are_refused(two_halves, monkeypatch):
    model = two_halves("t5")
    plain = model.causal.forward

    def capped(*args, **named):
        output = plain(*args, **named)
        output.logits = 2 * torch.tanh(output.logits / 2)
        return output

    monkeypatch.setattr(model.causal, "forward", capped)
    with pytest.raises(ModelError, match="changes its logits"):
        model.with_head(HeadSettings())
    with pytest.raises(ModelError, match="changes its logits"):
        sample(model, [[4, 1]], 1, Decoding(max_new_tokens=2), seed=0)


def test_what_is_missing_is_named(two_halves):
    model = two_halves("bart")
    with pytest.raises(ValueError, match="needs a source"):
        model.hidden_states(torch.tensor([[0, 4]]))
    model.causal.generation_config.decoder_start_token_id = None
    with pytest.raises(ModelError, match="decoder_start_token_id"):
        sample(model, [[4, 1]], 1, Decoding(max_new_tokens=2), seed=0)


def test_an_encoder_alone_is_no_language_model(two_halves, tmp_path):
    from transformers import T5EncoderModel

    whole = two_halves("t5")
    T5EncoderModel(whole.causal.config).save_pretrained(tmp_path / "encoder")
    whole.tokenizer.save_pretrained(tmp_path / "encoder")
    with pytest.raises(ModelError, match="does not write text"):
        load(tmp_path / "encoder")
