"""Learning to write: replies to instructions, texts, translations. Only answers have a loss.

A decoder reads a conversation through its own chat template and learns every message of the
assistant; an encoder–decoder model reads one source and learns the one text that answers it.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from speaq.core.devices import batch_dtype, device
from speaq.core.errors import DataError, SettingsError
from speaq.core.runs import RunFolder
from speaq.experience.episode import Episode, Turn
from speaq.models.decoding import Decoding
from speaq.models.fingerprint import fingerprint
from speaq.models.folder import save
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.sampling import sample
from speaq.models.sources import load
from speaq.models.vocabulary import weighted_logprobs
from speaq.training.batch import Batch, collate
from speaq.training.curves import plot_curves
from speaq.training.descent import TERMS, Descent
from speaq.training.distributed import first_then_others, parallel, processes, rank, wait
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.floors.compare import FloorRow, beside, floors_of
from speaq.training.loop import LoopSettings, adamw, train
from speaq.training.memory import memory_errors
from speaq.training.sharing import Inside, quiet, refill, shared
from speaq.training.supervised.batches import Buckets, by_length
from speaq.training.supervised.examples import Dialogue
from speaq.training.supervised.labels import require_examples
from speaq.training.supervised.learner import Best
from speaq.training.supervised.measures import rouge_l, text_measures
from speaq.training.supervised.preparing import (
    Examples,
    left_out,
    resolved_settings,
    stepped,
    with_validation,
)
from speaq.training.supervised.settings import FineTuneSettings, default_loop, is_fresh
from speaq.training.supervised.strategy import merged, prepared

_ROWS = 16
"""Dialogues whose loss is measured at once."""


@dataclass
class Written:
    """What fine-tuning a writer left behind."""

    model: LanguageModel
    folder: Path
    """The model folder: an ordinary one."""
    metrics: dict[str, dict[str, Any]]
    """By part: `validation`, `test`."""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@processes()
def fine_tune_writer(
    source: str | Path | LanguageModel,
    examples: Examples,
    *,
    settings: FineTuneSettings | None = None,
    loop: LoopSettings | None = None,
    decoding: Decoding | None = None,
    folder: Path | str,
    seed: int = 0,
    floor: bool = False,
) -> Written:
    """Fine-tune a language model on dialogues, instructions or translations.

    Args:
        source: see `models.sources`; a model that is given is changed.
        examples: of `Dialogue`.
        settings: what changes; of the heads' settings none is used.
        loop: how long and how fast; `settings.epochs` sets the steps.
        decoding: how answers are written for BLEU, chrF and ROUGE-L; greedily by default.
        folder: the run folder; the model goes into `model` there.
        seed: of everything random.
        floor: measure the first sentences of the source, and the source itself, as well.

    Raises:
        DataError: no examples, or none that fits the model's context.
        SettingsError: unknown or contradictory settings.
        DivergenceError: the numbers ended; the last good checkpoint is kept.
    """
    settings = settings or FineTuneSettings(strategy="lora", epochs=3)
    notes: list[str] = []
    parts = with_validation(examples, seed, notes)
    model = source if isinstance(source, LanguageModel) else load(source, device=device())
    name = model.origin.source
    loop = loop or default_loop(settings.strategy, writes=True, fresh=is_fresh(name))
    loop = stepped(loop, settings, len(parts.training))
    resolved = resolved_settings(name, {"": parts}, settings, loop, seed)
    run = first_then_others(lambda: RunFolder(folder, resolved))
    begun = time.perf_counter()
    training, validation = (
        encoded_dialogues(model, cast(Sequence[Dialogue], part), settings.max_tokens, where, notes)
        for where, part in (("training", parts.training), ("validation", parts.validation))
    )
    _prepare(model, settings, seed)
    learner = Writer(model, training, validation, settings, loop, run, seed)
    half = max(1, loop.batch_size // 2)
    with memory_errors(
        f"batch_size = {half} or half of max_tokens needs half of it",
        f"batch_size = {half} 或将 max_tokens 减半，所需内存减半",
    ):
        descent = Descent(adamw(learner, loop), synchronise=learner.synchronise)
        train(learner, learner.replay, loop, run, seed, descent=descent, enough=learner.enough)
    if rank() == 0:
        plot_curves(run)
    learner.restore_best()
    seconds = time.perf_counter() - begun
    model.causal = merged(model.causal)
    decoding = decoding or Decoding(temperature=0, max_new_tokens=128)
    metrics = {"validation": {"loss": learner.validated()}}
    for where, part in (("validation", parts.validation), ("test", parts.test)):
        if part:
            found = answers(model, cast(Sequence[Dialogue], part), decoding, seed)
            measured = writing_measures(found, [cast(Dialogue, each).answer for each in part])
            metrics[where] = {**metrics.get(where, {}), **measured}
    step = {"step": "fine-tune", **resolved, "seconds": round(seconds, 1)}
    model.origin = Origin(name, fingerprint(model.causal), (*model.origin.history, step))
    flat = {f"{where} {key}": value for where, own in metrics.items() for key, value in own.items()}
    model.facts = {**model.facts, "metrics": flat, "notes": notes}
    if floor and rank() == 0:
        measured = metrics["test" if parts.test else "validation"]
        neural = FloorRow("neural", "chrf", measured["chrf"], seconds, measured)
        model.facts["floor"] = beside(neural, floors_of(parts, seed=seed))
    if rank() == 0:
        save(model, run.path / "model")
    wait()
    return Written(model, run.path / "model", metrics, notes, seconds)


def _prepare(model: LanguageModel, settings: FineTuneSettings, seed: int) -> None:
    output = model.plain_layer.weight
    tied = any(each is output for each in model.plain.get_input_embeddings().parameters())
    if settings.strategy == "head" and tied:
        raise SettingsError(
            f"{model.name} has no output layer of its own (it is tied to the embeddings), so "
            "strategy = head would leave nothing to train; use last or lora.",
            f"{model.name} 的输出层与词嵌入共享，strategy = head 没有可训练的参数；"
            "请用 last 或 lora。",
        )
    model.causal = prepared(model.causal, settings, seed)
    if settings.strategy in ("head", "last") and not tied:
        output.requires_grad = True


def episode_of(dialogue: Dialogue) -> Episode:
    """The dialogue as an episode: what the assistant says are its actions."""
    turns = tuple(
        Turn("action", each.text)
        if each.speaker == "assistant"
        else Turn("observation", each.text, each.speaker)
        for each in dialogue.messages
    )
    return Episode(turns, id=f"row {dialogue.row}" if dialogue.row else "", time=0.0)


def encoded_dialogues(
    model: LanguageModel,
    dialogues: Sequence[Dialogue],
    max_tokens: int,
    part: str,
    notes: list[str],
) -> list[Encoded]:
    """The dialogues in tokens. Long ones lose what was said first; those whose answers alone are
    too long, or whose source is, are left out, and how many is noted.

    Raises:
        DataError: none is left.
    """
    require_examples(dialogues, part)
    kept, refused = [], []
    for dialogue in dialogues:
        try:
            kept += encode_episodes(
                model, [episode_of(dialogue)], lambda _: 0.0, max_tokens=max_tokens
            )
        except DataError as error:
            refused.append(error)
    if refused:
        notes.append(left_out(part, len(refused), len(dialogues), str(refused[0])))
    if not kept:
        raise refused[0]
    return kept


class Writer:
    """The loop's task; the loss is the mean over the tokens of a batch's answers."""

    def __init__(
        self,
        model: LanguageModel,
        training: Sequence[Encoded],
        validation: Sequence[Encoded],
        settings: FineTuneSettings,
        loop: LoopSettings,
        run: RunFolder,
        seed: int,
    ) -> None:
        self.model = model
        self.training, self.validation = training, validation
        self.smoothing = settings.label_smoothing
        self.patience, self.steps, self.run = settings.patience, loop.steps, run
        self.replay = Buckets([[_length(each) for each in training]], seed, loop.steps)
        self.every = max(1, round(-(-len(training) // loop.batch_size) / settings.validations))
        plain = cast(nn.Module, model.causal)
        everything = Inside({"model": plain})
        # What is in parts cannot be saved or asked; the whole one is filled at the end.
        self._whole = copy.deepcopy(everything) if parallel() == "fsdp" else None
        self.inside, self.synchronise = shared(everything, parallel(), unused=True)
        self.changing = [weight for weight in plain.parameters() if weight.requires_grad]
        self.best = Best(self.changing)
        self.half = batch_dtype() == torch.bfloat16

    def modules(self) -> Mapping[str, nn.Module]:
        """See `training.loop.Task`: what changes of the model."""
        return {"trunk": nn.ParameterList(self.changing), "best": self.best}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `training.loop.Task`."""
        return {"trunk": self.changing}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `training.loop.Task`."""
        cast(nn.Module, self.model.causal).train()
        batch = self._batch([self.training[index] for index in indices])
        where = batch.tokens.device.type
        with torch.autocast(where, torch.bfloat16, enabled=self.half):
            found: Tensor = self.inside(lambda: answer_loss(self.model, batch, self.smoothing))
        return found, {TERMS: batch.action_mask.sum()}

    def _batch(self, encoded: Sequence[Encoded]) -> Batch:
        members = torch.ones(1, len(encoded), dtype=torch.bool)
        return collate(encoded, 1.0, members).to(self.model.output_table.device)

    def after_step(self, step: int) -> None:
        """See `training.loop.Task`: validate where it is time."""
        if step % self.every and step != self.steps:
            return
        loss = self.validated()
        self.best.heard(-loss, loss, step, self.changing)
        if rank() == 0:
            self.run.log(step, {"validation loss": loss})

    @torch.no_grad()
    def validated(self) -> float:
        """Mean loss per token of the validation answers, in nats, without smoothing."""
        cast(nn.Module, self.model.causal).eval()
        total = tokens = 0.0
        for chosen in by_length([_length(each) for each in self.validation], _ROWS):
            batch = self._batch([self.validation[index] for index in chosen])
            count = float(batch.action_mask.sum())
            loss = quiet(self.inside)(partial(answer_loss, self.model, batch, 0.0))
            total += float(loss) * count
            tokens += count
        return total / tokens

    def enough(self) -> bool:
        """Whether too many validations in a row brought nothing better."""
        return bool(self.patience) and int(self.best.waited) >= self.patience

    def restore_best(self) -> None:
        """Put back the weights of the best validation, and a whole model in place of its parts."""
        self.best.restore(self.changing)
        if self._whole is not None:
            refill(self._whole, quiet(self.inside))
            self.model.causal = cast(Any, self._whole.held["model"].to(device()))


def _length(encoded: Encoded) -> int:
    return len(encoded.tokens) + len(encoded.source)


def answer_loss(model: LanguageModel, batch: Batch, smoothing: float) -> Tensor:
    """Mean cross-entropy of the answers' tokens, in nats.

    With label smoothing ε the target is (1 - ε) of the token and ε of all V alike. Its
    cross-entropy is that of the token plus ε · (score of the token - mean score), and the mean
    score is the state times the mean row of the output table: no scores over V are needed for it.
    """
    hidden = model.hidden_states(batch.tokens, batch.lengths, batch.source, batch.source_lengths)
    places = batch.states[:, :-1, None].expand(-1, -1, hidden.shape[-1])
    features = torch.gather(hidden, 1, places)[batch.action_mask]  # (N, D)
    actions, table = batch.actions[batch.action_mask], model.output_table
    share = torch.full((len(actions),), 1 / len(actions), device=features.device)
    loss = -weighted_logprobs(features, table, actions, share)
    if smoothing:
        ahead = (features * (table[actions] - table.mean(0))).sum(-1).float()
        loss = loss + smoothing * ahead.mean()
    return loss


def answers(
    model: LanguageModel,
    dialogues: Sequence[Dialogue],
    decoding: Decoding,
    seed: int = 0,
) -> list[str]:
    """What the model writes in place of the last answer of each dialogue."""
    cast(nn.Module, model.causal).eval()
    prompts = [last_prompt(model, dialogue) for dialogue in dialogues]
    drawn = sample(model, prompts, 1, decoding, seed=seed, title="writing")
    return [model.decode(each.token_ids).strip() for each in drawn]


def last_prompt(model: LanguageModel, dialogue: Dialogue) -> tuple[int, ...]:
    """The tokens before a dialogue's last answer; the oldest go where an answer finds no room."""
    [encoded] = encode_episodes(model, [episode_of(dialogue)], lambda _: 0.0)
    if len(encoded.source):
        return encoded.prompt
    last = encoded.actions[encoded.turn_ids == encoded.turn_ids[-1]]
    return tuple(encoded.tokens[: int(last[0])].tolist())


def writing_measures(found: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """chrF, BLEU with their signature, ROUGE-L, and the share that is written exactly."""
    exact = [a.strip() == b.strip() for a, b in zip(found, wanted, strict=True)]
    return {
        **text_measures(found, wanted),
        "rouge_l": rouge_l(found, wanted),
        "exact": float(np.mean(exact)),
    }
