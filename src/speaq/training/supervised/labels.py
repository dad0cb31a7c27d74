"""The labels of a task: taken from its training examples, and refused where they cannot do."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError

OUTSIDE = "O"
"""The tag of a word in no span."""


def require_examples(examples: Sequence[object], part: str) -> None:
    """Refuse a part of the data that holds nothing.

    Raises:
        DataError: names the part, such as `training`.
    """
    if not examples:
        name = {"training": "训练", "validation": "验证", "test": "测试"}.get(part, part)
        raise DataError(
            f"the {part} data hold no example.", f"{name}数据中没有任何样本。", field=part
        )


def labels_of(training: Sequence[Sequence[str]], *, several: bool) -> tuple[str, ...]:
    """The labels that occur in training, sorted.

    Args:
        training: the labels of each example.
        several: whether one label alone makes a task: a multi-label example may lack it.

    Raises:
        DataError: no label at all, or one class only.
    """
    found = sorted({label for labels in training for label in labels})
    if not found or (len(found) == 1 and not several):
        what_en = f"only the class '{found[0]}'" if found else "no label"
        what_zh = f"只有“{found[0]}”一个类别" if found else "没有标签"
        raise DataError(
            f"the training data hold {what_en}; there is nothing to tell apart.",
            f"训练数据中{what_zh}，没有可区分的内容。",
            field="label",
        )
    return tuple(found)


def require_known(labels: Sequence[str], others: Sequence[Sequence[str]], part: str) -> None:
    """Refuse labels that training never showed: nothing could ever predict them.

    Args:
        labels: of the training examples.
        others: the labels of each example of another part.
        part: its name, such as `validation`.

    Raises:
        DataError: names the labels and how many examples have them.
    """
    known = set(labels)
    missing = Counter(label for row in others for label in row if label not in known)
    if missing:
        listed = ", ".join(f"'{name}' ({count})" for name, count in missing.most_common(5))
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        more_zh = f"等 {len(missing)} 个" if len(missing) > 5 else ""
        raise DataError(
            f"labels of the {part} data do not occur in training: {listed}{more}; add examples of "
            "them to the training data or take these rows out.",
            f"{part} 数据中有训练数据里没有的标签：{listed}{more_zh}；"
            "请在训练数据中补充，或去掉这些行。",
            field="label",
        )


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weights (C,) that give every class the same say: N / (C · count), of mean 1 over examples."""
    present = np.maximum(counts, 1)
    weights = counts.sum() / (len(counts) * present)
    return np.asarray(weights, np.float32)
