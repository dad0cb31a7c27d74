"""Shapes, checked at the door. One alphabet:

B batch (episodes)   K actions of an episode   T tokens   V vocabulary   D hidden size
M members of an ensemble   N anything flattened
"""

from torch import Tensor


def check(sizes: dict[str, int] | None = None, /, **tensors: tuple[Tensor, str]) -> dict[str, int]:
    """Check that tensors agree on their named axes and return the sizes.

    Each argument is `name=(tensor, "B K D")`; a token may be `K+1`. An axis met first fixes the
    size, later ones must agree.

    Raises:
        ValueError: names the tensor, its shape and the sizes the others have.
    """
    sizes = dict(sizes or {})
    for name, (tensor, axes) in tensors.items():
        letters = axes.split()
        if tensor.dim() != len(letters):
            raise ValueError(f"{name} must be ({axes}), got shape {tuple(tensor.shape)}")
        for letter, size in zip(letters, tensor.shape, strict=True):
            base, _, plus = letter.partition("+")
            value = size - int(plus or 0)
            if sizes.setdefault(base, value) != value:
                raise ValueError(
                    f"{name} must be ({axes}) with {base} = {sizes[base]}, "
                    f"got shape {tuple(tensor.shape)}"
                )
    return sizes
