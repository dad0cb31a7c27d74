"""The chain against sums and maxima over all tag sequences."""

import itertools

import pytest
import torch

from speaq.training.supervised.crf import CRF, NEVER, forbidden

TAGS = ("O", "B-a", "I-a", "B-b", "I-b")


def chain(seed):
    made = CRF(TAGS)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream))
    return made


def score(crf, emissions, tags):
    """Of one whole sequence, word by word."""
    between = crf.between.masked_fill(crf.forbids, NEVER)
    first = crf.first.masked_fill(crf.forbids_first, NEVER)
    total = first[tags[0]] + emissions[0, tags[0]]
    for w in range(1, len(tags)):
        total = total + between[tags[w - 1], tags[w]] + emissions[w, tags[w]]
    return total + crf.last[tags[-1]]


@pytest.mark.parametrize("seed", range(5))
def test_likelihood_and_best_tags_are_those_of_all_sequences(seed):
    crf = chain(seed)
    stream = torch.Generator().manual_seed(100 + seed)
    lengths = [1, 4, 3]
    emissions = torch.randn(3, 4, len(TAGS), generator=stream) * 2
    tags = torch.randint(0, len(TAGS), (3, 4), generator=stream)
    mask = torch.arange(4)[None] < torch.tensor(lengths)[:, None]
    found = crf.log_likelihood(emissions, tags, mask)
    best = crf.best(emissions, mask)
    for b, length in enumerate(lengths):
        every = {
            each: score(crf, emissions[b], each).detach()
            for each in itertools.product(range(len(TAGS)), repeat=length)
        }
        whole = torch.logsumexp(torch.stack(list(every.values())), 0)
        wanted = every[tuple(tags[b, :length].tolist())] - whole
        torch.testing.assert_close(found[b].detach(), wanted, rtol=1e-4, atol=1e-3)
        assert tuple(best[b]) == max(every, key=lambda each: float(every[each]))


def test_what_stands_in_padding_changes_nothing():
    crf = chain(1)
    emissions = torch.randn(1, 5, len(TAGS))
    mask = torch.tensor([[True, True, True, False, False]])
    tags = torch.zeros(1, 5, dtype=torch.long)
    other = emissions.clone()
    other[:, 3:] = 9.0
    for given in (emissions, other):
        torch.testing.assert_close(
            crf.log_likelihood(given, tags, mask),
            crf.log_likelihood(emissions[:, :3], tags[:, :3], mask[:, :3]),
        )
        assert crf.best(given, mask) == crf.best(emissions[:, :3], mask[:, :3])


def test_an_inside_never_follows_what_it_does_not_continue():
    following, first = forbidden(TAGS)
    allowed = {(a, b) for a in TAGS for b in TAGS if not following[TAGS.index(a), TAGS.index(b)]}
    assert ("B-a", "I-a") in allowed and ("I-b", "I-b") in allowed
    assert ("O", "I-a") not in allowed and ("B-b", "I-a") not in allowed
    assert [name for name, not_first in zip(TAGS, first, strict=True) if not_first] == [
        "I-a",
        "I-b",
    ]
    unlearnt = CRF(TAGS, learnt=False)
    emissions = torch.zeros(1, 3, len(TAGS))
    emissions[:, :, TAGS.index("I-b")] = 5.0
    [best] = unlearnt.best(emissions, torch.ones(1, 3, dtype=torch.bool))
    assert [TAGS[tag] for tag in best][1:] == ["I-b", "I-b"]
    assert TAGS[best[0]] == "B-b"
