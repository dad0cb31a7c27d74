"""A batch in pieces has the gradient of the whole batch, whatever the pieces hold."""

import pytest
import torch

from speaq.core.errors import MemoryShortageError
from speaq.training.descent import Descent
from speaq.training.memory import memory_errors
from speaq.training.replay import Draw


class Unlike:
    """Episode i has i + 1 terms; the loss is the mean over terms, the gradient with it."""

    def __init__(self):
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 1)
        self.seen = []

    def terms(self, index):
        stream = torch.Generator().manual_seed(index)
        return torch.randn(index + 1, 3, generator=stream)

    def loss(self, indices, weights=None):
        self.seen.append((list(indices), None if weights is None else weights.tolist()))
        terms = torch.cat([self.terms(index) for index in indices])
        loss = self.layer(terms).square().mean()
        return loss, {"terms": torch.tensor(len(terms)), "double": 2 * loss.detach()}


def after(pieces, indices, together=False):
    task = Unlike()
    optimiser = torch.optim.SGD(
        [{"params": [task.layer.weight]}, {"params": [task.layer.bias]}], lr=0.1
    )
    descent = Descent(optimiser, pieces=pieces, together=together)
    loss, figures = descent.gradients(task, Draw(indices))
    gradients = [weight.grad.clone() for weight in task.layer.parameters()]
    return loss, figures, gradients, task, descent


@pytest.mark.parametrize("pieces", [2, 3, 6])
def test_pieces_of_unlike_sizes_give_the_gradient_of_the_whole(pieces):
    whole = after(1, [5, 0, 3, 1, 4, 2])
    parts = after(pieces, [5, 0, 3, 1, 4, 2])
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)
    assert float(parts[1]["double"]) == pytest.approx(2 * whole[0], rel=1e-5)
    assert set(parts[1]) == {"double"}
    for one, two in zip(whole[2], parts[2], strict=True):
        assert torch.allclose(one, two, atol=1e-6)
    assert len(parts[3].seen) == pieces


def test_weights_go_with_their_episodes():
    task = Unlike()
    descent = Descent(torch.optim.SGD(task.layer.parameters(), lr=0.1), pieces=2)
    descent.gradients(task, Draw([7, 8, 9, 6], torch.tensor([1.0, 2.0, 3.0, 4.0])))
    assert task.seen == [([7, 8], [1.0, 2.0]), ([9, 6], [3.0, 4.0])]


def test_gradients_of_the_step_before_are_forgotten():
    _, _, gradients, task, descent = after(2, [1, 2])
    descent.gradients(task, Draw([1, 2]))
    for weight, wanted in zip(task.layer.parameters(), gradients, strict=True):
        assert torch.equal(weight.grad, wanted)


def test_clipping_by_groups_and_together():
    *_, task, apart = after(1, [3, 4])
    weight, bias = (each.grad.clone() for each in task.layer.parameters())
    norms = apart.clip(1e-3)
    assert norms == pytest.approx([float(weight.norm()), float(bias.norm())])
    assert float(task.layer.weight.grad.norm()) == pytest.approx(1e-3, rel=1e-2)
    *_, task, together = after(1, [3, 4], together=True)
    [norm] = together.clip(1e-3)
    assert norm == pytest.approx(float((weight.norm() ** 2 + bias.norm() ** 2).sqrt()))
    ratio = task.layer.weight.grad.norm() / task.layer.bias.grad.norm()
    assert float(ratio) == pytest.approx(float(weight.norm() / bias.norm()), rel=1e-3)
    *_, task, free = after(1, [3, 4])
    free.clip(0)
    assert torch.equal(task.layer.weight.grad, weight)


def test_a_failed_allocation_names_the_setting():
    with (
        pytest.raises(MemoryShortageError, match="not enough for a batch; halve it"),
        memory_errors("halve it", "减半"),
    ):
        torch.empty(1 << 60)
    with (
        pytest.raises(MemoryShortageError) as found,
        memory_errors("halve it", "减半"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "减半" in found.value.zh


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_errors("halve it", "减半"):
        raise RuntimeError("shapes do not fit")
