"""A folder of skills, learnt in a moment."""

import json

import pytest

from speaq.apps.understand.finders import save_field
from speaq.training.floors.linear_classes import learn_linear
from speaq.training.floors.tags import field
from speaq.training.supervised.examples import Labelled, Related, Tagged

PEOPLE, TOWNS = ("Ada", "Bob", "Carl", "Dora"), ("Rome", "Oslo", "Lima", "Bonn")


def sentences():
    for person in PEOPLE:
        for town in TOWNS:
            yield f"{person} lives in {town} .", (0, len(person)), (len(person) + 10, -2)


@pytest.fixture(scope="session")
def skills_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("skills")
    tone = [
        Labelled(f"{word} {n}", (label,))
        for label, words in (("good", ("lovely", "满意")), ("bad", ("awful", "失望")))
        for word in words
        for n in range(5)
    ]
    learn_linear(tone, tone[::3]).save(folder / "tone.npz")
    tagged = [
        Tagged(tuple(text.split()), ("B-person", "O", "O", "B-town", "O"))
        for text, _, _ in sentences()
    ]
    save_field(field(tagged, iterations=30), folder / "entities.crfsuite")
    pairs = []
    for text, head, (start, end) in sentences():
        tail = (start, len(text) + end)
        pairs.append(Related(text, head, tail, "lives in"))
        pairs.append(Related(text, tail, head, "none"))
    learn_linear(pairs, pairs[::4]).save(folder / "relations.npz")
    tasks = {
        "tone": {"source": "tone.npz"},
        "entities": {"source": "entities.crfsuite"},
        "relations": {"source": "relations.npz"},
    }
    (folder / "understand.json").write_text(json.dumps({"tasks": tasks}))
    return folder
