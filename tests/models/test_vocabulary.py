import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.models import vocabulary


def slow(features, table, actions):
    return torch.log_softmax(features @ table.T, -1)[torch.arange(len(actions)), actions]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(2, 9), st.integers(1, 5), st.integers(1, 60))
def test_chunks_change_neither_value_nor_gradient(rows, size, width, elements):
    """Whatever the chunk size, also where the last chunk is short or one row overfills it."""
    torch.manual_seed(rows * 1000 + size)
    features = torch.randn(rows, width, dtype=torch.float64, requires_grad=True)
    table = torch.randn(size, width, dtype=torch.float64, requires_grad=True)
    actions = torch.randint(size, (rows,))
    weights = torch.randn(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "CHUNK_ELEMENTS", elements)
        found = vocabulary.chosen_logprobs(features, table, actions)
        found_grads = torch.autograd.grad((found * weights).sum(), [features, table])
        with torch.no_grad():
            still = vocabulary.chosen_logprobs(features, table, actions)
    expected = slow(features, table, actions)
    expected_grads = torch.autograd.grad((expected * weights).sum(), [features, table])
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(still, found)
    for one, other in zip(found_grads, expected_grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("learnt", ["features", "table", "both"])
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 12), st.integers(2, 9), st.integers(1, 5), st.integers(1, 60))
def test_weighted_logprobs_are_a_cross_entropy(learnt, rows, size, width, elements):
    torch.manual_seed(rows * 1000 + size)
    features = torch.randn(rows, width, requires_grad=learnt != "table")
    table = torch.randn(size, width, requires_grad=learnt != "features")
    actions, weights = torch.randint(size, (rows,)), torch.randn(rows)
    leaves = [each for each in (features, table) if each.requires_grad]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "LEARNT_ELEMENTS", elements)
        found = vocabulary.weighted_logprobs(features, table, actions, weights)
        found_grads = torch.autograd.grad(3 * found, leaves)
    expected = (weights * slow(features, table, actions)).sum()
    expected_grads = torch.autograd.grad(3 * expected, leaves)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    for one, other in zip(found_grads, expected_grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_least_likely_token_has_a_logprob():
    """Its power, exp(-200), is 0."""
    features, table = torch.ones(1, 1, requires_grad=True), torch.tensor([[0.0], [200.0]])
    found = vocabulary.weighted_logprobs(features, table, torch.tensor([0]), torch.ones(1))
    assert float(found.detach()) == pytest.approx(-200)
    found.backward()
    assert float(features.grad) == pytest.approx(-200)


def test_weights_of_logprobs_take_no_gradient():
    features, table = torch.randn(3, 2, requires_grad=True), torch.randn(5, 2)
    weights = torch.ones(3, requires_grad=True)
    actions = torch.tensor([0, 4, 2])
    vocabulary.weighted_logprobs(features, table, actions, weights).backward()
    assert weights.grad is None and features.grad.any()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(2, 9), st.integers(1, 60))
def test_sums_over_a_table_that_is_not_learnt(rows, size, elements):
    torch.manual_seed(rows * 1000 + size)
    features, table = torch.randn(rows, 3, requires_grad=True), 5 * torch.randn(size, 3)
    weights = torch.randn(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "LEARNT_ELEMENTS", elements)
        found = vocabulary.chunked_logsumexp(features, table)
        (found_grad,) = torch.autograd.grad((weights * found).sum(), features)
    expected = torch.logsumexp(features @ table.T, -1)
    (expected_grad,) = torch.autograd.grad((weights * expected).sum(), features)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found_grad, expected_grad, atol=1e-5, rtol=1e-5)


def test_scores_in_half_precision_give_gradients_of_the_weights_precision():
    """As under the autocast that LoRA training runs in."""
    torch.manual_seed(0)
    features, table = torch.randn(6, 4, requires_grad=True), torch.randn(9, 4, requires_grad=True)
    actions, weights = torch.randint(9, (6,)), torch.ones(6)
    expected = torch.autograd.grad(slow(features, table, actions).sum(), [features, table])
    with torch.autocast("cpu", torch.bfloat16):
        sums = vocabulary.chunked_logsumexp(features, table.detach())
        fused = vocabulary.weighted_logprobs(features, table, actions, weights)
    assert sums.dtype == fused.dtype == torch.float32
    assert torch.autograd.grad(sums.sum(), features)[0].dtype == torch.float32
    for one, other in zip(torch.autograd.grad(fused, [features, table]), expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("learnt", [False, True])
def test_no_scores_of_the_whole_batch_are_kept(monkeypatch, learnt):
    """What is saved for the backward pass is far less than rows times vocabulary."""
    monkeypatch.setattr(vocabulary, "CHUNK_ELEMENTS", 400)
    monkeypatch.setattr(vocabulary, "LEARNT_ELEMENTS", 400)
    features = torch.randn(64, 4, requires_grad=True)
    table = torch.randn(100, 4, requires_grad=learnt)
    saved = []

    def note(tensor):
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        vocabulary.chunked_logsumexp(features, table)
    memory = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    assert sum(memory.values()) < 4 * 64 * 100 / 4


def test_chosen_scores_of_any_leading_shape():
    features, table = torch.randn(2, 3, 4), torch.randn(7, 4)
    actions = torch.randint(7, (2, 3))
    expected = (features @ table.T).gather(-1, actions[..., None])[..., 0]
    torch.testing.assert_close(vocabulary.chosen_scores(features, table, actions), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(2, 9), st.integers(1, 60))
def test_best_and_mean_scores_in_chunks(rows, size, elements):
    torch.manual_seed(rows * 1000 + size)
    features, table = torch.randn(rows, 3, requires_grad=True), torch.randn(size, 3)
    policy, policy_table = torch.randn(rows, 5), torch.randn(size, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "CHUNK_ELEMENTS", elements)
        best, tokens = vocabulary.chunked_max(features, table)
        mean = vocabulary.chunked_mean(policy, policy_table, features, table)
    assert best.shape == tokens.shape == mean.shape == (rows,)
    assert not best.requires_grad and not mean.requires_grad
    features = features.detach()
    for row in range(rows):
        scores = [float(features[row] @ vector) for vector in table]
        assert float(best[row]) == pytest.approx(max(scores), abs=1e-5)
        assert scores[tokens[row]] == pytest.approx(max(scores), abs=1e-5)
        likely = torch.softmax(torch.stack([policy[row] @ each for each in policy_table]), 0)
        expected = sum(float(p) * score for p, score in zip(likely, scores, strict=True))
        assert float(mean[row]) == pytest.approx(expected, abs=1e-5)


def test_the_lowest_of_equal_tokens_is_best():
    best, tokens = vocabulary.chunked_max(torch.ones(2, 1), torch.tensor([[1.0], [3.0], [3.0]]))
    assert best.tolist() == [3.0, 3.0]
    assert tokens.tolist() == [1, 1]
