"""speaq pretrain: text in, a model out that the other verbs take; messages in both languages."""

import json
import subprocess
import sys

import pytest

TEXTS = {"en": "Tea is good. Rice is good too. ", "zh": "茶很好喝。米饭也好吃。"}
SHORT = [
    "--pace.steps=6",
    "--pace.batch-size=4",
    "--pace.warmup=2",
    "--objective.context=16",
    "--objective.holdout=0.2",
    "--compute.precision=float32",
]


def test_a_model_from_text_learns_from_a_log(spoken, speaq, tmp_path, write_log):
    (tmp_path / "text.txt").write_text(TEXTS[spoken] * 60)
    config = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64}
    config |= {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 256}
    (tmp_path / "config.json").write_text(json.dumps(config))
    code, out, err = speaq("pretrain", "text.txt", "--model=config.json", *SHORT, "--folder=run")
    assert code == 0, err
    assert {"en": "the model is in run/model", "zh": "模型在 run/model"}[spoken] in out
    assert {"en": "longer than a row", "zh": "长于一行"}[spoken] in out
    assert {"en": "Validation loss", "zh": "验证损失"}[spoken] in out
    assert (tmp_path / "run" / "plots" / "curves.png").is_file()
    log = write_log("log.csv", spoken, 20)
    code, _, err = speaq("learn", "run/model", log, "--loop.steps=2", "--folder=learnt")
    assert code == 0, err
    facts = json.loads((tmp_path / "learnt" / "model" / "speaq.json").read_text())["facts"]
    assert "pretraining" in facts


def test_settings_from_a_file_and_faults_in_one_sentence(spoken, speaq, tmp_path):
    (tmp_path / "text.txt").write_text(TEXTS[spoken])
    (tmp_path / "a.yaml").write_text(
        "recipe:\n  pace:\n    steps: 3\n  optimiser:\n    kind: muon\n"
    )
    code, _, err = speaq("pretrain", "text.txt", "--config", "a.yaml", "--folder=run")
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert {"en": "smaller context, or more text", "zh": "减小 context 或增加文本"}[spoken] in err
    told = (tmp_path / "run" / "settings.yaml").read_text()
    assert "steps: 3" in told and "kind: muon" in told
    code, _, err = speaq("pretrain", "absent.txt", "--folder=other")
    assert code == 2 and "absent.txt" in err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("words", [["pretrain", "--help"]])
def test_help_loads_no_torch(words):
    code = (
        "import sys\nfrom speaq.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False False", done.stderr
    assert "--pace.steps" in done.stdout and "--optimiser.kind" in done.stdout
