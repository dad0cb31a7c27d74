from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speaq.core.errors import ModelError, SettingsError
from speaq.environments import collecting
from speaq.environments.collecting import collect
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel

PROMPTS = ["one", "二", "three"]
SHORT = Decoding(max_new_tokens=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ExperienceStore]:
    with ExperienceStore(tmp_path / "a.sqlite") as opened:
        yield opened


@pytest.fixture
def portions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Two replies side by side, so that every prompt is a portion; what was sampled so far."""
    seen: list[list[str]] = []
    plain = collecting.generate_log

    def counted(model: LanguageModel, prompts: list[str], *rest: Any, **named: Any) -> Any:
        seen.append(list(prompts))
        return plain(model, prompts, *rest, **named)

    monkeypatch.setattr(collecting, "ROWS", 2)
    monkeypatch.setattr(collecting, "generate_log", counted)
    return seen


def replies(store: ExperienceStore) -> set[tuple[str, str, tuple[int, ...] | None]]:
    return {(each.id, each.prompt, each.actions[-1].token_ids) for each in store.episodes()}


def test_an_interrupted_collection_continues_with_the_same_replies(
    tiny: LanguageModel, store: ExperienceStore, portions: list[list[str]], tmp_path: Path
) -> None:
    def take(into: ExperienceStore) -> int:
        return collect(tiny, PROMPTS, into, samples=2, decoding=SHORT, seed=5)

    with ExperienceStore(tmp_path / "whole.sqlite") as whole:
        assert take(whole) == 6
        expected = replies(whole)
    assert portions == [[prompt] for prompt in PROMPTS]

    append, calls = store.append, []

    def stop(*episodes: Any) -> int:
        if calls:
            raise KeyboardInterrupt
        calls.append(episodes)
        return append(*episodes)

    portions.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            take(store)
    portions.clear()
    assert take(store) == 4
    assert portions == [["二"], ["three"]]
    assert replies(store) == expected
    assert take(store) == 0
    assert len(portions) == 2


def test_other_policies_seeds_and_settings_add_replies_of_their_own(
    tiny: LanguageModel,
    store: ExperienceStore,
    with_random_head: Callable[..., LanguageModel],
) -> None:
    def take(model: LanguageModel, **changed: Any) -> int:
        settings = {"samples": 2, "decoding": SHORT, "seed": 5} | changed
        return collect(model, PROMPTS, store, **settings)

    one = with_random_head(tiny, HeadSettings(), seed=1)
    two = with_random_head(tiny, HeadSettings(), seed=2)
    assert take(tiny) == 6
    assert take(tiny, seed=6) == 6
    assert take(tiny, decoding=Decoding(temperature=0.5, max_new_tokens=3)) == 6
    assert take(one, beta=1.0) == 6
    assert take(two, beta=1.0) == 6
    assert take(two, beta=2.0) == 6
    assert take(two, beta=1.0) == 0
    assert take(one) == 0  # without guidance it is the same policy


def test_what_cannot_be_sampled_is_refused(tiny: LanguageModel, store: ExperienceStore) -> None:
    with pytest.raises(SettingsError, match="samples"):
        collect(tiny, PROMPTS, store, samples=0, decoding=SHORT, seed=0)
    with pytest.raises(ModelError, match="value head"):
        collect(tiny, PROMPTS, store, samples=1, decoding=SHORT, seed=0, beta=1.0)
    assert store.count() == 0
