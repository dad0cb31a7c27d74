"""The repair model: what it proposes is taken only where it is sure."""

import pytest

from speaq.apps.write.finishing import Finisher
from speaq.apps.write.repair_model import Proposal, Repairer, _distance, _near, train_repairer
from speaq.core.errors import DataError, ModelError
from speaq.models.sources import load
from speaq.training.loop import LoopSettings
from speaq.training.supervised.settings import FineTuneSettings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    animals, deeds = ("cat", "dog", "cow", "hen"), "ate ran sat hid won dug lay led met fed cut"
    texts = [f"The {animal} {deed}." for animal in animals for deed in deeds.split()]
    return train_repairer(
        "new:t5-tiny",
        texts,
        tmp_path_factory.mktemp("repair"),
        settings=FineTuneSettings(epochs=0, patience=0),
        loop=LoopSettings(steps=3, batch_size=4, lr=1e-3),
    )


def test_a_weak_model_spoils_nothing(trained):
    """Three steps teach nothing; the margin sees to it that clean sentences stay."""
    assert trained.measures["clean_changed"] == 0
    repairer = Repairer.open(trained.folder)
    assert repairer.margin == trained.margin
    assert repairer.repaired("The cat ate.") == "The cat ate."


def test_only_what_is_preferred_by_more_than_the_margin_is_taken(trained, monkeypatch):
    repairer = Repairer.open(trained.folder)
    repairer.margin = 2.0
    for margin, said in ((1.9, "a sentense."), (2.1, "a sentence.")):
        proposal = Proposal("a sentence.", margin)
        monkeypatch.setattr(Repairer, "proposals", lambda self, chosen, it=proposal: [it])
        assert repairer.repaired("a sentense.") == said


def test_the_finisher_asks_it_after_the_rules():
    class Fixed:
        def repaired(self, sentence):
            return sentence.replace("an dog", "wrong").replace("teh", "the")

    finisher = Finisher("en", model=Fixed())
    said = "".join([*finisher.add("It is an dog. I saw teh cat. "), *finisher.end(True)])
    assert said == "It is a dog. I saw the cat."
    assert [each.kind for each in finisher.changes] == ["article", "model"]


def test_another_sentence_is_no_repair():
    assert _near("the cat sat on the mat", "teh cat sat on the mat")
    assert not _near("the cat sat", "a dog was running home")
    assert not _near("in 1998 he came", "in 1999 he came")
    assert _distance("kitten", "sitting") == 3


def test_too_few_sentences(tmp_path):
    with pytest.raises(DataError, match="too few"):
        train_repairer("new:t5-tiny", ["One. Two."], tmp_path)


def test_a_folder_that_was_not_trained_to_repair(tmp_path):
    load("new:t5-tiny").save(tmp_path / "plain")
    with pytest.raises(ModelError, match="repair-train"):
        Repairer.open(tmp_path / "plain")
