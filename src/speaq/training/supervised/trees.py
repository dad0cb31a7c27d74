"""The best tree over the words of a sentence, from a score for every arc."""

import numpy as np
from numpy.typing import NDArray

from speaq.text.files.conllu import is_tree


def best_tree(scores: NDArray[np.float64]) -> list[int]:
    """The heads (from 1, 0: the root) of the tree of the largest sum, one word at the root.

    By the Chu–Liu–Edmonds algorithm where the best head of each word makes no tree already
    (McDonald et al. 2005); arcs from the root cost so much that there is exactly one.

    Args:
        scores: (W, W + 1) of a word, and of its head counted from the root; the larger the better.
    """
    words = len(scores)
    allowed = np.array(scores, np.float64)
    allowed[np.arange(words), np.arange(1, words + 1)] = -np.inf
    heads: list[int] = allowed.argmax(1).tolist()
    return heads if is_tree(heads) else _spanning(allowed)


def _spanning(scores: NDArray[np.float64]) -> list[int]:
    import networkx

    finite = scores[np.isfinite(scores)]
    dear = (finite.max() - finite.min() + 1) * (len(scores) + 1)
    graph = networkx.DiGraph()
    for word in range(1, len(scores) + 1):
        for head in range(len(scores) + 1):
            if head != word:
                weight = float(scores[word - 1, head]) - (dear if head == 0 else 0.0)
                graph.add_edge(head, word, weight=weight)
    tree = networkx.maximum_spanning_arborescence(graph)
    heads = {word: head for head, word in tree.edges}
    return [heads[word] for word in range(1, len(scores) + 1)]
