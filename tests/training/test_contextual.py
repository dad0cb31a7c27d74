"""Vectors of texts and words from an encoder, against reading one text at a time."""

import numpy as np
import pytest
import torch

from speaq.core.errors import DataError
from speaq.text.segmentation import words
from speaq.text.tokenizers.settings import TokenizerSettings
from speaq.text.tokenizers.training import train_tokenizer
from speaq.training.contextual import open_encoder, text_vectors, word_vectors

TEXTS = [
    "The cat sat on the mat.",
    "今天天气很好，我们去公园。",
    "A cat!",
    "我们的cat今天在公园 running",
    "the the the running runner sat",
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    settings = TokenizerSettings("wordpiece", 150, lower=True, context=64)
    tokenizer = train_tokenizer(TEXTS, settings)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=48,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return open_encoder(str(folder))


def states_of(encoder, text):
    """(T, D) and where each token stands, read alone."""
    read = encoder.tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    offsets = read.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        return encoder.model(**read).last_hidden_state[0].numpy(), offsets


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_texts_vector_is_the_mean_of_its_states(encoder, batch):
    found = text_vectors(encoder, TEXTS, batch)
    expected = np.stack([states_of(encoder, text)[0].mean(0) for text in TEXTS])
    assert np.allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("batch", [1, 3])
def test_a_words_vector_is_the_mean_over_its_occurrences(encoder, batch):
    found = word_vectors(encoder, TEXTS, min_count=1, batch=batch)
    for word in ("cat", "the", "running", "公园", "今天"):
        occurrences = []
        for text in TEXTS:
            states, offsets = states_of(encoder, text)
            place = 0
            for own in words(text):
                start = text.index(own, place)
                place = start + len(own)
                if own.lower() == word:
                    inside = [t for t, (a, b) in enumerate(offsets) if start <= a < b <= place]
                    occurrences.append(states[inside].mean(0))
        assert len(occurrences) == found.counts[found.place(word)] > 0
        assert np.allclose(found.vector(word), np.mean(occurrences, axis=0), atol=1e-5)


def test_a_long_text_is_read_to_the_models_end(encoder):
    assert encoder.longest == 48
    long = "the cat " * 100
    short = encoder.tokenizer.decode(
        encoder.tokenizer(long, truncation=True, max_length=48)["input_ids"][1:-1]
    )
    assert np.allclose(text_vectors(encoder, [long]), text_vectors(encoder, [short]), atol=1e-5)
    vectors = word_vectors(encoder, [long, "cat runner"], min_count=1)
    assert set(vectors.words) == {"the", "cat", "runner"}


def test_no_words_are_refused(encoder):
    with pytest.raises(DataError):
        word_vectors(encoder, ["", "！"], min_count=1)
