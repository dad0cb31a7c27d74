import pytest

from speaq.core.errors import DataError
from speaq.experience.episode import Episode, Turn
from speaq.qlearning.contrast import require_contrast
from speaq.qlearning.learn import learn
from speaq.training.loop import LoopSettings


def test_equal_returns_are_refused_however_they_are_spread(encoded):
    early = encoded([0, 1, 2], [1, 2], [0.5, 0.0])
    late = encoded([0, 1, 2, 3], [1, 2, 3], [0.0, 0.25, 0.25])
    with pytest.raises(DataError, match=r"earned the same \(0.5\), so nothing can be learnt"):
        require_contrast([early, late])
    require_contrast([early, late, encoded([0, 1], [1], [0.6])])


def test_a_single_episode_is_judged_by_its_turns(encoded):
    with pytest.raises(DataError, match="nothing can be learnt"):
        require_contrast([encoded([0, 1, 2], [1, 2], [0.0, 1.0])])
    with pytest.raises(DataError, match="nothing can be learnt"):
        require_contrast([encoded([0, 1, 2], [1, 2], [1.0, 1.0], turns=[0, 1])])
    require_contrast([encoded([0, 1, 2], [1, 2], [0.0, 1.0], turns=[0, 1])])


@pytest.mark.parametrize("algorithm", ["dae", "dqn", "awac"])
def test_learning_says_so_before_it_trains(tiny, tmp_path, algorithm):
    episodes = [
        Episode((Turn("observation", f"hello {i}"), Turn("action", "yes")), id=str(i), reward=1.0)
        for i in range(6)
    ]
    with pytest.raises(DataError) as refusal:
        learn(tiny, episodes, algorithm, loop=LoopSettings(steps=1), folder=tmp_path / "run")
    assert "(1)" in refusal.value.en and "相同" in refusal.value.zh
