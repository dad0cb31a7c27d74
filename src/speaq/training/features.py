"""Hidden states of a frozen trunk, computed once and memory-mapped.

A frozen trunk gives the same hidden states in every epoch, for every algorithm and every β, so
they are made once: one row per decision of the log, plus one for the state after the last. Fresh
episodes to the same prompt share its beginning, which is read once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speaq.core.files import digest, storage_errors, write_text
from speaq.core.progress import bar
from speaq.models.language_model import LanguageModel
from speaq.models.prefill import prefill
from speaq.models.vocabulary import CHUNK_ELEMENTS
from speaq.training.encoding import Encoded, fingerprint

TOKENS_AT_ONCE = 8192
"""Tokens read side by side; bounds the key-value cache (about 46 KB a token for 135M)."""

_STORED = {torch.float32: np.float32, torch.bfloat16: np.uint16, torch.float16: np.float16}


@dataclass(frozen=True)
class Features:
    """The hidden states of N episodes; episode i holds K_i + 1 rows of size D."""

    file: Path
    offsets: np.ndarray  # (N + 1,)
    hidden_size: int
    dtype: torch.dtype
    centres: Path | None = None
    """Σ_a π(a|s)·W[a] of the same states, if they were asked for."""

    def states(self, index: int) -> Tensor:
        """States of one episode: (K_i + 1, D) float32."""
        return self._rows(int(self.offsets[index]), int(self.offsets[index + 1]))

    def gather(self, indices: Sequence[int]) -> Tensor:
        """States of several episodes, padded with zeros: (B, K+1, D) float32."""
        rows = [self.states(index) for index in indices]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def gather_centres(self, indices: Sequence[int]) -> Tensor:
        """Centres of the states before each action, padded with zeros: (B, K, D) float32."""
        if self.centres is None:
            raise ValueError("these features were cached without centres")
        stored = self.map(self.centres, "r")
        rows = [
            _tensor(stored[self.offsets[index] : self.offsets[index + 1] - 1], self.dtype)
            for index in indices
        ]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def _rows(self, start: int, stop: int) -> Tensor:
        return _tensor(self.map(self.file, "r")[start:stop], self.dtype)

    def map(self, file: Path, mode: str) -> np.memmap:
        """The rows of one of the two files."""
        shape = (int(self.offsets[-1]), self.hidden_size)
        return np.memmap(file, _STORED[self.dtype], mode, shape=shape)  # type: ignore[call-overload, no-any-return]


def _tensor(stored: np.ndarray, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.array(stored)).view(dtype).float()


def cache_features(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    folder: Path,
    centre_temperature: float | None = None,
) -> Features:
    """Compute, or find, the hidden states of `encoded` under `model`'s trunk.

    The file is named after model and data, so that another of either never meets it. An
    interrupted computation continues where it was.

    Args:
        model: its trunk is read in the precision it has.
        encoded: N episodes.
        folder: where caches live.
        centre_temperature: also cache each state's mean output embedding under the policy at
            this temperature.

    Raises:
        StorageError: the disk is full.
    """
    model = model.for_batches()
    dtype = model.output_table.dtype
    key = digest(trunk_fingerprint(model), str(dtype), fingerprint(encoded))
    name = key if centre_temperature is None else f"{key}-{centre_temperature:g}"
    counts = [len(each.actions) + 1 for each in encoded]
    features = Features(
        file=folder / f"{key}.states",
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        hidden_size=model.output_table.shape[1],
        dtype=dtype,
        centres=None if centre_temperature is None else folder / f"{name}.centres",
    )
    progress = folder / f"{name}.json"
    pieces = _pieces(encoded)
    # States cached together with centres are the same states.
    with storage_errors(features.file):
        folder.mkdir(parents=True, exist_ok=True)
        _reserve(features, progress)
    written = [progress] if features.centres else sorted(folder.glob(f"{key}*.json"))
    done = max((_pieces_done(file) for file in written), default=0)
    if done < len(pieces):
        _compute(model, encoded, features, centre_temperature, done, progress)
    return features


def trunk_fingerprint(model: LanguageModel) -> str:
    """Digest of the trunk's weights: a sample of every tensor, and its sum."""
    parts = []
    for name, tensor in sorted(model.trunk.state_dict().items()):
        flat = tensor.detach().flatten()
        some = flat[:: max(1, flat.numel() // 64)].float().cpu().numpy()
        parts += [name.encode(), some.tobytes(), f"{float(flat.double().sum()):.17g}".encode()]
    return digest(*parts)


def _pieces_done(progress: Path) -> int:
    return int(json.loads(progress.read_text())["pieces"]) if progress.exists() else 0


def _reserve(features: Features, progress: Path) -> None:
    """Make the files at their full length now, so that a full disk is met before the work.

    What is known of the work done on a file that was missing or cut is forgotten.
    """
    size = int(features.offsets[-1]) * features.hidden_size * features.dtype.itemsize
    for file in (features.file, features.centres):
        if file is None or (file.exists() and file.stat().st_size == size):
            continue
        every = file.parent.glob(f"{features.file.stem}*.json")
        for claim in list(every) if file == features.file else [progress]:
            claim.unlink(missing_ok=True)
        with file.open("wb") as stream:
            block = bytes(1 << 22)
            for start in range(0, size, len(block)):
                stream.write(block[: size - start])


def _pieces(encoded: Sequence[Encoded]) -> list[list[int]]:
    """Episodes to read together: equal prompts side by side, lengths alike, bounded tokens."""
    order = sorted(
        range(len(encoded)),
        key=lambda i: (len(encoded[i].prompt), encoded[i].prompt, len(encoded[i].tokens)),
    )
    pieces: list[list[int]] = []
    longest = 0
    for index in order:
        size = len(encoded[index].source) + len(encoded[index].tokens)
        longest = max(longest, size)
        if not pieces or (len(pieces[-1]) + 1) * longest > TOKENS_AT_ONCE:
            pieces.append([])
            longest = size
        pieces[-1].append(index)
    return pieces


def _compute(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    temperature: float | None,
    done: int,
    progress: Path,
) -> None:
    pieces = _pieces(encoded)
    files = [features.map(file, "r+") for file in (features.file, features.centres) if file]
    with bar("hidden states", len(encoded)) as running:
        running.advance(sum(len(piece) for piece in pieces[:done]))
        for number in range(done, len(pieces)):
            piece = pieces[number]
            found = hidden_states(model, [encoded[i] for i in piece])
            for index, states in zip(piece, found, strict=True):
                rows = slice(features.offsets[index], features.offsets[index + 1])
                files[0][rows] = _raw(states)
                if temperature is not None:
                    files[1][rows] = _raw(centres(model, states, temperature))
            with storage_errors(features.file):
                for file in files:
                    file.flush()
            write_text(progress, json.dumps({"pieces": number + 1, "of": len(pieces)}))
            running.advance(len(piece))


def _raw(states: Tensor) -> np.ndarray:
    states = states.cpu()
    raw = states.view(torch.uint16) if states.dtype == torch.bfloat16 else states
    array: np.ndarray = raw.numpy()
    return array


@torch.inference_mode()
def centres(model: LanguageModel, states: Tensor, temperature: float) -> Tensor:
    """Mean output embedding under the policy, Σ_a π(a|s)·W[a]: (N, D) -> (N, D)."""
    table = model.output_table
    pieces = []
    for part in torch.split(states, max(1, CHUNK_ELEMENTS // table.shape[0])):
        policy = torch.softmax(model.output_layer(part).float() / temperature, dim=-1)
        pieces.append(policy.to(table.dtype) @ table)
    return torch.cat(pieces)


@torch.inference_mode()
def hidden_states(model: LanguageModel, encoded: Sequence[Encoded]) -> list[Tensor]:
    """States of each episode, (K_i + 1, D), reading each distinct prompt once."""
    reading = prefill(model, [each.prompt for each in encoded])
    first = reading.hidden
    starts = [int(each.actions[0]) for each in encoded]
    rest = [
        torch.from_numpy(each.tokens[start:]) for each, start in zip(encoded, starts, strict=True)
    ]
    tokens = torch.nn.utils.rnn.pad_sequence(rest, batch_first=True).to(first.device)
    lengths = torch.tensor([len(piece) for piece in rest], device=first.device)
    hidden = reading.extend(tokens, lengths)
    return [
        torch.cat([first[row : row + 1], hidden[row, each.states[1:] - starts[row]]])
        for row, each in enumerate(encoded)
    ]
