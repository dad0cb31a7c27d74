"""The verb that learns labels from clicks: a log in, a folder out that a fresh log has judged."""

import json

import numpy as np

from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.result import open_tuned

NEW = "new:encoder?layers=1&hidden=32&heads=2&context=40&vocabulary=300&dropout=0"
WORDS = {"colour": ["red", "blue", "绿色"], "fruit": ["pear", "plum", "葡萄"]}


def write_log(file, count, seed):
    stream = np.random.default_rng(seed)
    labels = sorted(WORDS)
    lines = []
    for number in range(count):
        right, said = labels[stream.integers(2)], labels[stream.integers(2)]
        word = WORDS[right][stream.integers(3)]
        record = {
            "id": f"{seed}-{number}",
            "app": "understand",
            "turns": [
                {"role": "observation", "text": f"I like {word} {number % 7}"},
                {"role": "action", "text": said},
            ],
            "feedback": [{"kind": "click", "value": said == right, "time": 0.0}],
            "tags": {"label": said, "propensity": "0.5"},
        }
        lines.append(json.dumps(record, ensure_ascii=False))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def test_clicks_become_a_folder_that_labels_and_that_a_fresh_log_promotes(speaq, tmp_path):
    log, fresh = (write_log(tmp_path / f"{n}.jsonl", 300, n) for n in (1, 2))
    code, out, said = speaq("learn-labels", NEW, log, "--folder", "made", "--fresh", fresh)
    assert code == 0, said
    assert "2 labels from 300" in out
    assert "may be promoted" in out
    examples = [Labelled(f"I like {w} 3", (label,)) for label, ws in WORDS.items() for w in ws]
    assert [each.labels for each in open_tuned("made").answers(examples)] == [
        each.labels for each in examples
    ]


def test_a_log_without_propensities_is_refused_where_they_are_needed(speaq, tmp_path):
    log = write_log(tmp_path / "log.jsonl", 20, 1)
    text = (tmp_path / "log.jsonl").read_text(encoding="utf-8").replace('"0.5"', '"often"')
    (tmp_path / "log.jsonl").write_text(text, encoding="utf-8")
    code, _, said = speaq("learn-labels", NEW, log, "--folder", "made", "--estimator", "weighted")
    assert code != 0
    assert "propensity" in said
    assert not (tmp_path / "made").exists()
