"""A diagnosis of heads whose truth is known, and what it leaves behind."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from speaq.core.errors import EvidenceError, ModelError, SettingsError
from speaq.environments.logs import generate_log
from speaq.evaluation.credit import page
from speaq.evaluation.diagnosis import DiagnosisSettings, diagnose
from speaq.evaluation.diagnosis_report import save, summary
from speaq.evaluation.estimate import GateSettings
from speaq.models.decoding import Decoding
from speaq.models.sources import load
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

LOOP = LoopSettings(steps=6, batch_size=64, checkpoint_every=3, log_every=3)


@pytest.fixture(scope="module")
def log():
    """64 replies to 16 prompts by the model itself; rewards by the first byte."""
    model = load("new:tiny")
    prompts = [f"say {i} 茶" for i in range(16)]
    drawn, _ = generate_log(model, prompts, 4, Decoding(max_new_tokens=6), seed=0)
    return [dataclasses.replace(e, reward=float(e.turns[1].token_ids[0] % 2)) for e in drawn]


@pytest.fixture(scope="module")
def runs(log, tmp_path_factory):
    """`runs(name)`: what an algorithm learnt from the log in few steps."""
    made = {}

    def run(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("runs") / name
            made[name] = learn(load("new:tiny"), log, name, loop=LOOP, folder=folder)
        return made[name]

    return run


@pytest.mark.parametrize("name", ["ilql", "dae", "dqn", "qsft"])
def test_every_kind_of_head_can_be_looked_at(runs, log, tmp_path, name):
    run = runs(name)
    found = diagnose(run.model, log, [4.0], run=run.folder)
    assert (found.algorithm, found.episodes) == (name, 64)
    assert found.tokens == sum(len(each.turns[1].token_ids) for each in log)
    assert (found.calibration is None) == (name == "qsft")
    assert (found.lag is None) == (name == "dae")
    assert [row.beta for row in found.policies] == [0.0, 4.0]
    assert found.policies[0].estimate.kl == 0.0
    if found.calibration:
        assert sum(each.tokens for each in found.by_value) == found.tokens
        assert sum(each.tokens for each in found.by_place) == found.tokens
    save(found, tmp_path)
    written = json.loads((tmp_path / "diagnosis.json").read_text(encoding="utf-8"))
    assert written["policies"][1]["covered"] == pytest.approx(found.policies[1].covered)
    assert (tmp_path / "plots" / "diagnosis.png").stat().st_size > 10_000
    assert "茶" in (tmp_path / "plots" / "credit.html").read_text(encoding="utf-8")
    assert len(summary(found).splitlines()) >= 4


def test_figures_are_what_a_slow_reading_gives(runs, log):
    """One by one: Q of the members that may judge, return, entropy and coverage."""
    run = runs("dqn")
    model, head = run.model, run.model.require_head()
    found = diagnose(model, log, [], settings=DiagnosisSettings(tokens=10_000), run=run.folder)
    from speaq.evaluation.gate import judges
    from speaq.training.encoding import encode_episodes

    encoded = encode_episodes(model, log, lambda each: each.reward)
    use = judges(model, encoded, fresh=False)
    known = {token for each in encoded for token in each.action_tokens.tolist()}
    gaps, entropies, covered = [], [], []
    with torch.no_grad():
        for index, each in enumerate(encoded):
            hidden = model.hidden_states(torch.from_numpy(each.tokens)[None])[0]
            for k, token in enumerate(each.action_tokens.tolist()):
                state = hidden[each.states[k]][None]
                q = head.values(state)[:, 0] + torch.stack(
                    [head.member_advantages(state, m)[0, token] for m in range(head.members)]
                )
                received = each.rewards[-1] * 0.99 ** (len(each.actions) - 1 - k)
                gaps.append(float(q[use[:, index]].mean()) - float(received))
                shares = model.output_layer(state)[0].softmax(-1)
                entropies.append(-float((shares * shares.log()).sum()))
                covered.append(float(shares[sorted(known)].sum()))
    assert found.calibration.gap == pytest.approx(np.mean(gaps), abs=1e-5)
    assert found.policies[0].entropy == pytest.approx(np.mean(entropies), abs=1e-4)
    assert found.policies[0].covered == pytest.approx(np.mean(covered), abs=1e-5)
    assert found.distinct == len(known)


def test_credit_is_spelled_and_centred(runs, log):
    run = runs("dae")
    settings = DiagnosisSettings(shown=3, alternatives=258)
    told = diagnose(run.model, log, [2.0], settings=settings, run=run.folder).credit
    assert [each.reward for each in told] == sorted(each.reward for each in told)
    texts = {each.id: run.model.decode(each.turns[1].token_ids) for each in log}
    for each in told:
        assert "".join(place.text for place in each.places) == texts[each.id]
        for place in each.places:
            every = [place.said, *place.instead]
            assert sum(one.base for one in every) == pytest.approx(1, abs=1e-4)
            assert sum(one.base * one.advantage for one in every) == pytest.approx(0, abs=1e-5)
            odds = [one.base * np.exp(2.0 * one.advantage) for one in every]
            expected = odds[0] / sum(odds)
            assert place.said.guided == pytest.approx(expected, rel=1e-3)
    assert "<script" not in page(told, 2.0)


def test_a_log_the_gate_refuses_can_be_looked_at(runs, log):
    """No propensities, and a decoding that could not have written it."""
    bare = [
        dataclasses.replace(e, turns=(e.turns[0], dataclasses.replace(e.turns[1], logprobs=None)))
        for e in log
    ]
    found = diagnose(runs("mc").model, bare, [1.0], decoding=Decoding(top_k=2))
    assert found.refused is not None and found.calibration is not None
    assert all(row.estimate is None for row in found.policies)
    assert found.refused[0] in summary(found)


def test_what_cannot_be_judged_is_refused(runs, log, tmp_path):
    whole = learn(
        load("new:tiny"),
        log,
        "mc",
        settings=LearnSettings(folds=0),
        loop=LOOP,
        folder=tmp_path / "whole",
    )
    with pytest.raises(EvidenceError, match="learnt from"):
        diagnose(whole.model, log)
    assert diagnose(whole.model, log, gate=GateSettings(fresh=True)).calibration is not None
    with pytest.raises(ModelError, match="which algorithm"):
        diagnose(load("new:tiny", head="tied"), log)
    with pytest.raises(SettingsError, match="bins"):
        DiagnosisSettings(bins=0)
