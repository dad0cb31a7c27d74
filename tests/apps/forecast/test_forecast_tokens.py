"""Numbers as words: bins, training that resumes exactly, logged forecasts, learning from them."""

import numpy as np
import pytest
import torch

from speaq.apps.forecast.teaching import earned, logged
from speaq.apps.forecast.tokens import (
    TokenSettings,
    futures,
    paths,
    prompt_of,
    scales,
    settings_of,
    train_tokens,
)
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.experience.rewards import action_rewards, feedback
from speaq.training.loop import LoopSettings

SMALL = TokenSettings(look_back=8, bins=33, limit=4.0, layers=1, width=32)
LOOP = LoopSettings(
    steps=60, batch_size=16, lr=1e-2, weight_decay=0.0, checkpoint_every=30, log_every=30
)
HORIZON = 4


def square(length: int) -> np.ndarray:
    """0 0 0 0 1 1 1 1 0 0 0 0 ..."""
    return (np.arange(length) // 4 % 2).astype(float) * 10 + 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def model(folder):
    torch.set_num_threads(1)
    return train_tokens([square(200)], HORIZON, folder / "run", SMALL, LOOP)


def test_bins_are_the_nearest_ones():
    settings = TokenSettings(bins=5, limit=2.0)
    assert settings.centres.tolist() == [-2, -1, 0, 1, 2]
    assert settings.places(np.array([-9, -0.6, 0.4, 1.6, 9.0])).tolist() == [0, 1, 2, 4, 4]


def test_a_prompt_ends_at_its_own_zero():
    past = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    words = prompt_of(past, SMALL).split()
    assert words[-1] == f"v{SMALL.bins // 2}"
    last, apart = scales(past)
    assert (last.item(), apart.item()) == (8, pytest.approx(past.std()))
    assert prompt_of(10 + 3 * past, SMALL) == prompt_of(past, SMALL)
    assert set(prompt_of(np.full(8, 5.0), SMALL).split()) == {f"v{SMALL.bins // 2}"}


def test_a_model_learns_what_repeats(model):
    drawn = paths(model, square(104)[None], 3, seed=0, temperature=0)
    assert drawn.shape == (1, 3, HORIZON)
    assert drawn[0, 0] == pytest.approx(square(108)[104:], abs=2.0)


def test_a_run_that_was_cut_ends_with_the_same_bits(model, folder, tmp_path):
    class CutError(Exception):
        pass

    def cut(_: object, step: int) -> None:
        if step == 45:
            raise CutError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speaq.apps.forecast.tokens.Foretelling.after_step", cut)
        with pytest.raises(CutError):
            train_tokens([square(200)], HORIZON, tmp_path / "cut", SMALL, LOOP)
    again = train_tokens([square(200)], HORIZON, tmp_path / "cut", SMALL, LOOP)
    for name, tensor in model.plain.state_dict().items():
        assert torch.equal(tensor, again.plain.state_dict()[name]), name


def test_a_saved_model_knows_its_words_and_its_horizon(model, folder):
    from speaq.models.sources import load

    again = load(str(folder / "run" / "model"))
    assert settings_of(again) == (SMALL, HORIZON)
    assert np.array_equal(
        paths(again, square(104)[None], 2, seed=1), paths(model, square(104)[None], 2, seed=1)
    )


def test_each_word_earns_what_it_missed_by():
    window = np.array([0.0, 2, 0, 2, 0, 2, 0, 2, 3, 2])  # last 2, deviation 1; then 3 and 2
    centre, step = SMALL.bins // 2, 4
    rewards, missing = earned((centre + step, centre), window, SMALL, 2)
    assert missing == 0
    # Bins are a quarter apart: the first word says 2 + 1, exactly right; so does the second.
    assert rewards == ((3, pytest.approx(0.0)), (7, pytest.approx(0.0)))
    wrong, _ = earned((centre, centre + 2 * step), window, SMALL, 2)
    assert [value for _, value in wrong] == [pytest.approx(-1.0), pytest.approx(-2.0)]
    text = " ".join(f"v{place}" for place in (centre, centre + 2 * step))
    assert [text[:end].split()[-1] for end, _ in wrong] == text.split()


def test_a_reply_that_ends_early_stays_where_it_was():
    end = SMALL.words.ids["<|end|>"]
    assert futures((20, end), SMALL, 3).tolist() == [SMALL.centres[20]] * 3
    window = np.array([0.0, 2, 0, 2, 0, 2, 0, 2, 3, 4, 5])
    placed, missing = earned((SMALL.bins // 2, end), window, SMALL, 3)
    assert placed == ((3, pytest.approx(-1.0)),)
    assert missing == pytest.approx(-(2 + 3))


def test_logged_forecasts_are_learnt_from(model, tmp_path):
    from speaq.models.head import HeadSettings
    from speaq.qlearning.learn import learn
    from speaq.training.encoding import encode_episodes

    walk = [np.random.default_rng(0).standard_normal(120).cumsum()]
    log = list(logged(model, walk, 4, 6, seed=0))
    assert [each.id for each in log] == [each.id for each in logged(model, walk, 4, 6, seed=0)]
    assert len({each.id for each in log}) == len(log)
    for encoded, episode in zip(encode_episodes(model, log, feedback), log, strict=True):
        earned_in_all = action_rewards(episode, feedback)[-1]
        assert earned_in_all < 0
        assert encoded.rewards.sum() == pytest.approx(earned_in_all)
        assert sum(episode.actions[-1].logprobs) < 0
    loop = LoopSettings(steps=5, batch_size=8, checkpoint_every=5, log_every=5)
    run = learn(model, log, "dqn", loop=loop, head=HeadSettings("tied"), folder=tmp_path / "dqn")
    assert paths(run.model, square(104)[None], 2, seed=0, beta=1.0).shape == (1, 2, HORIZON)


def test_what_cannot_be_foretold_is_refused(model, tiny, tmp_path):
    with pytest.raises(DataError, match="12 values"):
        list(logged(model, [square(10)], 1, 1, seed=0))
    with pytest.raises(ModelError, match="not trained on series"):
        settings_of(tiny)
    with pytest.raises(SettingsError, match="width"):
        TokenSettings(width=20)
    with pytest.raises(DataError, match="has 10 values, and 12 are needed"):
        train_tokens([square(10)], HORIZON, tmp_path, SMALL, LOOP)
