"""From a log of clicked labels to a folder that labels, in English and Chinese."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from speaq.core.errors import DataError
from speaq.core.seeds import generator
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.qlearning.choices import ChoiceSettings
from speaq.qlearning.labelling import labellings, learn_labels
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.result import open_tuned

NEW = "new:encoder?layers=1&hidden=32&heads=2&context=40&vocabulary=300&dropout=0"
WORDS = {
    "en": ({"colour": ["red", "blue", "green"], "fruit": ["pear", "plum", "fig"]}, "I like {} now"),
    "zh": (
        {"颜色": ["红色", "蓝色", "绿色"], "水果": ["梨子", "李子", "葡萄"]},
        "我现在很喜欢{}了",
    ),
}


def clicked(language, count=400, seed=0):
    """Labels drawn with propensities that say nothing of the truth, and clicks that do."""
    kinds, sentence = WORDS[language]
    labels = sorted(kinds)
    made = []
    for number in range(count):
        stream = generator(seed, "clicked", number)
        right = labels[int(stream.integers(2))]
        word = kinds[right][int(stream.integers(3))]
        share = float(stream.uniform(0.2, 0.8))
        first = bool(stream.random() < share)
        said = labels[0] if first else labels[1]
        chance = share if first else 1 - share
        made.append(
            Episode(
                turns=(Turn("observation", sentence.format(word)), Turn("action", said)),
                id=f"{language}-{number}",
                time=0.0,
                app="understand",
                feedback=(Feedback("click", said == right),),
                tags={"label": said, "propensity": f"{chance:.17g}"},
            )
        )
    return made


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_folder_made_from_clicks_labels_rightly_and_opens_like_any_other(language, tmp_path):
    learn_labels(NEW, clicked(language), folder=tmp_path / "model")
    opened = open_tuned(tmp_path / "model")
    kinds, sentence = WORDS[language]
    examples = [
        Labelled(sentence.format(word), (label,))
        for label, words in kinds.items()
        for word in words
    ]
    assert [each.labels for each in opened.answers(examples)] == [e.labels for e in examples]
    assert opened.facts["metrics"]["log"]["episodes"] == 400


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_is_saved_is_what_was_fitted(exclusive, tmp_path):
    made = learn_labels(
        NEW,
        clicked("en", 100),
        labels=("animal",),
        settings=ChoiceSettings(exclusive=exclusive, ridge=(0.3,)),
        folder=tmp_path / "model",
    )
    assert made.labels == ("animal", "colour", "fruit")
    opened = open_tuned(tmp_path / "model")
    weights = opened.skills[""].head.state_dict()["out.weight"]
    assert torch.allclose(weights, made.model.skills[""].head.state_dict()["out.weight"])
    if not exclusive:
        assert not weights[0].any()  # nothing was learnt about a label that was never chosen


def test_without_a_tag_the_reply_is_the_label():
    [episode] = clicked("en", 1)
    bare = replace(episode, tags={})
    assert labellings([bare])[0].label == episode.reply
    assert labellings([bare])[0].propensity == 1.0


@pytest.mark.parametrize("said", [None, "0", "1.5", "much", "nan"])
def test_a_propensity_that_is_none_is_refused_where_it_is_needed(said):
    [episode] = clicked("en", 1)
    tags = {"label": "colour"} if said is None else {"label": "colour", "propensity": said}
    with pytest.raises(DataError, match="propensity"):
        labellings([replace(episode, tags=tags)], need_propensity=True)


def test_logs_that_teach_nothing_are_refused_before_anything_is_written(tmp_path):
    episodes = clicked("en", 40)
    alike = [replace(each, feedback=(Feedback("click", True),)) for each in episodes]
    with pytest.raises(DataError, match="earned the same"):
        learn_labels(NEW, alike, folder=tmp_path / "model")
    one = [each for each in episodes if each.reply == "colour"]
    with pytest.raises(DataError, match="only ever chose"):
        learn_labels(NEW, one, folder=tmp_path / "model")
    with pytest.raises(DataError, match="no reward"):
        learn_labels(NEW, [replace(episodes[0], feedback=())], folder=tmp_path / "model")
    with pytest.raises(DataError, match="no episodes"):
        learn_labels(NEW, [], folder=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_rewards_on_any_scale_teach_the_same(tmp_path):
    episodes = clicked("en", 200)
    scaled = [
        replace(each, feedback=(Feedback("score", 5.0 if each.feedback[0].value else -3.0),))
        for each in episodes
    ]
    one = learn_labels(NEW, episodes, folder=tmp_path / "one").model.skills[""].head
    other = learn_labels(NEW, scaled, folder=tmp_path / "other").model.skills[""].head
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert np.allclose(a.detach(), b.detach(), atol=1e-6)
