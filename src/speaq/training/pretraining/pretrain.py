"""From raw text to a language model: a corpus in, a run folder with an ordinary model out."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from speaq.core.devices import batch_dtype, device
from speaq.core.errors import SettingsError
from speaq.core.files import digest, file_digest, write_text
from speaq.core.places import require_file
from speaq.core.runs import RunFolder
from speaq.models.packages import quiet_transformers
from speaq.training.curves import plot_curves
from speaq.training.descent import Descent
from speaq.training.distributed import first_then_others, processes, rank, wait, world
from speaq.training.loop import train
from speaq.training.memory import memory_errors
from speaq.training.optimisers import optimiser_of
from speaq.training.pretraining.architectures import architecture_of, weights_of
from speaq.training.pretraining.corpus import documents
from speaq.training.pretraining.objectives import objective_of
from speaq.training.pretraining.result import best_loss, facts_of, save_result
from speaq.training.pretraining.rows import Rows
from speaq.training.pretraining.settings import ComputeSettings, Recipe
from speaq.training.pretraining.task import Pretraining
from speaq.training.pretraining.token_file import Places, TokenFile, token_file
from speaq.training.pretraining.vocabulary import (
    open_tokenizer,
    require_marks,
    tokenizer_of,
)
from speaq.training.sharing import Synchronise, shared

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Pretrained:
    """What pretraining left behind."""

    folder: Path
    """The run folder; the model is in its subfolder `model`."""
    tokens: TokenFile
    longer: int
    """Documents longer than a row; they run over several."""
    validation_loss: float | None
    """The best one, in nats per token; that of the weights kept."""

    @property
    def model(self) -> Path:
        """The model's folder."""
        return self.folder / "model"


@dataclass(frozen=True)
class _Corpus:
    files: tuple[Path, ...]
    column: str

    def documents(self) -> Iterator[list[str]]:
        for file in self.files:
            yield from documents(file, self.column)

    def pieces(self) -> Iterator[str]:
        for document in self.documents():
            yield from document

    def digest(self) -> str:
        for file in self.files:
            require_file(file)
        return digest(self.column, *(file_digest(file) for file in self.files))


def pretrain(
    files: Sequence[Path | str],
    recipe: Recipe | None = None,
    *,
    folder: Path | str,
    column: str = "",
    places: Places | None = None,
) -> Pretrained:
    """Train a language model on raw text, from nothing or from the weights of another.

    The same call on the same folder continues an interrupted run. Under `torchrun` it uses all
    the processes; the result is that of one, but for rounding.

    Args:
        files: of the corpus, in order.
        recipe: model, objective, optimiser, pace.
        folder: the run folder.
        column: of the text, in files that have columns; empty: the first usual one.
        places: cuts a text into words, for whole-word masking; None: `text.segmentation`, which
            knows Chinese words.

    Raises:
        SettingsError: unknown or contradictory settings.
        DataError: no such file, no text, or less of it than a row.
        ModelError: a tokenizer or a model that cannot be used.
        DivergenceError: the numbers ended; the last good checkpoint is kept.
        MemoryShortageError: a batch does not fit; the sentence names the setting that helps.
    """
    recipe = recipe or Recipe()
    corpus = _Corpus(tuple(map(Path, files)), column)
    with processes():
        recipe.compute.require_whole_pieces(recipe.pace.batch_size, world())
        return _pretrain(corpus, recipe, Path(folder), places)


def _pretrain(corpus: _Corpus, recipe: Recipe, folder: Path, places: Places | None) -> Pretrained:
    resolved = {"corpus": corpus.digest(), "column": corpus.column, **asdict(recipe)}
    tokenizer = _tokenizer(corpus, recipe)
    architecture = architecture_of(
        recipe.model,
        recipe.objective.kind,
        tokenizer,
        context=recipe.objective.context,
        dropout=recipe.compute.dropout,
        seed=recipe.seed,
    )
    prepare = partial(_prepare, corpus, recipe, tokenizer, folder, places)
    run, file, compute = first_then_others(partial(prepare, resolved))
    start_id = architecture.config.to_dict().get("decoder_start_token_id")
    objective = objective_of(recipe.objective, tokenizer, start_id)
    rows = _rows(file, recipe, objective.length, objective.stride)

    model = cast(Any, architecture.build()).to(device())
    forward, synchronise = _ready(model, compute)
    descent = Descent(
        optimiser_of(recipe.optimiser, model),
        pieces=compute.accumulate,
        together=True,
        synchronise=synchronise,
    )
    task = Pretraining(model, forward, objective, rows, recipe.pace, run, recipe.seed, compute)
    more = 2 * compute.accumulate
    advice = f"accumulate = {more} needs half of it", f"accumulate = {more} 只需一半"
    with _quiet(), memory_errors(*advice):
        train(task, rows[0], recipe.pace, run, recipe.seed, descent=descent, enough=task.enough)
    if rank() == 0:
        plot_curves(run)
        save_result(run, architecture, tokenizer, facts_of(recipe, file, run))
    wait()
    longer = file.longer(objective.length)
    return Pretrained(folder, file, longer, best_loss(run))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out notes of the libraries about what is known and does no harm."""
    with quiet_transformers(), warnings.catch_warnings():
        # In-place operations on such a view would be wrong; the tests compare with one process.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)
        yield


def _prepare(
    corpus: _Corpus,
    recipe: Recipe,
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path,
    places: Places | None,
    resolved: dict[str, Any],
) -> tuple[RunFolder, TokenFile, ComputeSettings]:
    """The run folder, the corpus as tokens, and the precision, each as it was if it was there."""
    run = RunFolder(folder, resolved)
    if recipe.objective.kind != "masked" or not recipe.objective.whole_words:
        places = None
    elif places is None:
        from speaq.text.segmentation import segmenter

        places = segmenter().places
    file = token_file(folder, corpus.documents, tokenizer, corpus=resolved["corpus"], places=places)
    return run, file, replace(recipe.compute, precision=_precision(run, recipe.compute))


def _precision(run: RunFolder, compute: ComputeSettings) -> Any:
    """What `auto` means: measured once, then kept, for a resumed run must not change it."""
    if compute.precision != "auto":
        return compute.precision
    kept = run.path / "precision.txt"
    if not kept.exists():
        write_text(kept, str(batch_dtype()).removeprefix("torch.") + "\n")
    return kept.read_text(encoding="utf-8").strip()


def _rows(file: TokenFile, recipe: Recipe, length: int, stride: int) -> tuple[Rows, Rows | None]:
    """To learn from, and the last part of the corpus to validate on."""
    total = len(file.tokens)
    edge = total - int(total * recipe.objective.holdout)
    shape = {"length": length, "stride": stride}
    learning = Rows(file, (0, edge), **shape, seed=recipe.seed, what=("training", "训练"))
    if not recipe.objective.holdout:
        return learning, None
    held = Rows(file, (edge, total), **shape, seed=None, what=("validation", "验证"))
    return learning, held


def _ready(model: Any, compute: ComputeSettings) -> tuple[nn.Module, Synchronise | None]:
    """Put the model into training mode, compiled, checkpointed and shared out as asked."""
    model.train()
    if compute.checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if compute.compile:
        model.compile()
    return shared(model, compute.parallel)


def _tokenizer(corpus: _Corpus, recipe: Recipe) -> "PreTrainedTokenizerBase":
    weights = weights_of(recipe.model)
    kind = recipe.objective.kind
    if weights is None:
        return tokenizer_of(recipe.tokenizer or "bytes", corpus.pieces(), kind)
    if recipe.tokenizer:
        raise SettingsError(
            f"{recipe.model} brings its own tokenizer; leave out tokenizer = {recipe.tokenizer}.",
            f"{recipe.model} 自带分词器；请去掉 tokenizer = {recipe.tokenizer}。",
        )
    own = open_tokenizer(weights)
    require_marks(own, recipe.model, kind)
    return own
