"""What every test shares: no network, one thread, quiet, English, and a tiny model."""

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
    SPEAQ_LANG="en",
    SPEAQ_PROGRESS="0",
    SPEAQ_THREADS="1",
    SPEAQ_BATCH_DTYPE="float32",
    SPEAQ_DEVICE="cpu",
    TOKENIZERS_PARALLELISM="false",
)

import copy
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from speaq.models.head import HeadSettings
    from speaq.models.language_model import LanguageModel

_LOCAL = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}


@pytest.fixture(autouse=True)
def network_attempts(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Refuses connections off this machine. A test that makes one fails, unless it asks for this
    fixture and looks at the attempts itself."""
    attempts: list[str] = []

    def refuse(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if name not in _LOCAL:
            attempts.append(name)
            raise ConnectionRefusedError(f"a test tried to reach {name}")

    def guarded(name: str) -> Callable[..., Any]:
        plain = vars(socket.socket).get(name) or vars(socket.socket.__base__)[name]

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse(address[0])
            return plain(self, address)

        return connect

    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        refuse(host)
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded("connect_ex"))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield attempts
    if "network_attempts" not in request.node.function.__code__.co_varnames:
        assert attempts == []


@pytest.fixture(scope="session")
def tiny() -> "LanguageModel":
    """`new:tiny` in float32, without a head. Shared by all tests: do not change it."""
    import torch

    from speaq.models.sources import load

    torch.set_num_threads(1)
    return load("new:tiny")


@pytest.fixture
def with_random_head() -> "Callable[..., LanguageModel]":
    """`with_random_head(model, settings, seed=0, scale=0.1)`: the model with a non-zero head.

    The weights are shared with `model`, the model object is another one.
    """
    import torch

    def build(
        model: "LanguageModel", settings: "HeadSettings", seed: int = 0, scale: float = 0.1
    ) -> "LanguageModel":
        headed = copy.copy(model).with_head(settings)
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in headed.require_head().parameters():
                weight.copy_(scale * torch.randn(weight.shape, generator=stream))
        return headed

    return build
