"""An untrained encoder, small enough to learn a small task in a second."""

from collections.abc import Callable

import pytest
import torch
from small_tasks import NEW, WORDS, texts

from speaq.training.supervised.trunk import Trunk, open_trunk


@pytest.fixture
def small() -> Callable[..., Trunk]:
    """`small(examples)`: an untrained encoder with a tokenizer made from the examples' texts."""
    torch.set_num_threads(1)

    def build(*sentences: str, source: str = NEW) -> Trunk:
        return open_trunk(source, sentences or [t.text for lang in WORDS for t in texts(lang)])

    return build
