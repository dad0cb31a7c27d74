"""Tokenizers made from one's own texts, through `tokenizers`, as folders `transformers` opens.

    bpe         byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2): any text
                in any script comes back as it was, and no token is unknown
    unigram     a unigram language model of pieces (Kudo 2018) with spaces as part of them; a
                character that is in no piece is spelt in bytes
    wordpiece   as in BERT (Devlin et al. 2019): Chinese characters stand alone, other words are
                cut into pieces; a character that was rare in training is unknown

Chinese needs no words: pieces are learnt from the running text.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.core.files import replacing_folder
from speaq.core.language import say
from speaq.core.progress import Bar, bar
from speaq.text.tokenizers.settings import Purpose, TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer
    from transformers import PreTrainedTokenizerBase

FACTS = "tokenizer_training.json"
"""What the tokenizer was made from, beside it."""
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_STEP = 1e-4
"""Between the scores that `tokenizers` gives to characters that no piece was learnt of."""


def train_tokenizer(
    texts: Iterable[str], settings: TokenizerSettings | None = None, total: int = 0
) -> "PreTrainedTokenizerBase":
    """Make a tokenizer from texts.

    Args:
        texts: gone through once (bpe) or twice; an iterator that cannot be is kept in memory.
        settings: how.
        total: texts to come, for the progress bar; 0 if nobody knows.

    Raises:
        DataError: there is no text.
        SettingsError: the vocabulary is too small for the characters of these texts.
    """
    settings = settings or TokenizerSettings()
    if settings.kind != "bpe" and isinstance(texts, Iterator):
        texts = list(texts)
    core = _untrained(settings)
    alphabet: list[str] = []
    if settings.kind != "bpe":
        # A normaliser of its own: the tokenizer's is locked while it asks for the next text.
        normaliser = _normaliser(settings)
        alphabet = _alphabet(texts, normaliser, settings)
        texts = _rare_out(texts, normaliser, frozenset(alphabet))
    with bar(say("learning tokens", "学习词元"), total) if total else nullcontext() as progress:
        counted = _counted(texts, progress)
        core.train_from_iterator(counted, _trainer(settings, alphabet))
    if settings.kind != "bpe":
        core = _completed(core, settings, alphabet)
    _finish(core, settings)
    return _wrapped(core, settings)


def save_tokenizer(
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path | str,
    settings: TokenizerSettings,
    corpus: str = "",
) -> None:
    """Write a tokenizer's folder, all or nothing; an older tokenizer at that place is replaced.

    Args:
        tokenizer: what `train_tokenizer` gave.
        folder: where.
        settings: what it was made with, to be recorded.
        corpus: the fingerprint of its texts, to be recorded.

    Raises:
        ModelError: the folder holds something that is not a tokenizer made here.
        StorageError: the disk refused; what was there before is untouched.
    """
    folder = Path(folder)
    own = folder.is_dir() and ((folder / FACTS).is_file() or not any(folder.iterdir()))
    if folder.exists() and not own:
        raise ModelError(
            f"{folder} exists and holds no tokenizer made by speaq; choose another name, so that "
            "nothing of yours is overwritten.",
            f"{folder} 已存在，且不是由 speaq 生成的分词器；请换一个名称，以免覆盖您的文件。",
        )
    facts = {"settings": asdict(settings), "corpus": corpus, "tokens": len(tokenizer)}
    with replacing_folder(folder) as temporary:
        tokenizer.save_pretrained(temporary)
        text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
        (temporary / FACTS).write_text(text, encoding="utf-8")


def _counted(texts: Iterable[str], progress: Bar | None) -> Iterator[str]:
    """The texts, counted on the bar.

    Raises:
        DataError: none came, or one is no text.
    """
    place = 0
    for place, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise DataError(
                f"text {place} is {type(text).__name__}, not a string.",
                f"第 {place} 条不是字符串，而是 {type(text).__name__}。",
            )
        yield text
        if progress is not None:
            progress.advance()
    if place == 0:
        raise _no_text()


def _no_text() -> DataError:
    return DataError("there is no text to make a tokenizer from.", "没有可用于训练分词器的文本。")


def _alphabet(
    texts: Iterable[str], normaliser: "Normalizer", settings: TokenizerSettings
) -> list[str]:
    """The commonest characters, until they cover what the settings ask for.

    Raises:
        DataError: there is no text.
        SettingsError: they alone are more than the vocabulary.
    """
    counts: Counter[str] = Counter()
    for text in _counted(texts, None):
        counts.update(normaliser.normalize_str(text))
    counts[" "] = 0
    wanted = settings.coverage * counts.total()
    found: list[str] = []
    for character, count in counts.most_common():
        if wanted <= 0 or count == 0:
            break
        found.append(character)
        wanted -= count
    if not found:
        raise _no_text()
    least = settings.taken + len(found) + 1
    if settings.vocabulary <= least:
        raise SettingsError(
            f"tokenizer setting vocabulary = {settings.vocabulary} must be > {least}: the texts "
            f"have {len(found)} characters that need tokens of their own; a smaller coverage "
            "needs fewer.",
            f"tokenizer 的 vocabulary = {settings.vocabulary} 必须 > {least}："
            f"文本中有 {len(found)} 个字符各需一个词元；减小 coverage 可减少。",
        )
    return found


def _rare_out(
    texts: Iterable[str], normaliser: "Normalizer", common: frozenset[str]
) -> Iterator[str]:
    """The texts with a space for each rare character, so that no piece is made of one."""
    for text in texts:
        normal = normaliser.normalize_str(text)
        yield "".join(sign if sign in common else " " for sign in normal)


def _normaliser(settings: TokenizerSettings) -> "Normalizer":
    from tokenizers import normalizers

    if settings.kind == "wordpiece":
        return normalizers.BertNormalizer(lowercase=settings.lower, strip_accents=settings.lower)
    lower = [normalizers.Lowercase()] if settings.lower else []
    form = [normalizers.NFC()] if settings.kind == "unigram" else []
    return normalizers.Sequence([*form, *lower])


def _untrained(settings: TokenizerSettings) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    digits = [pre_tokenizers.Digits(individual_digits=True)] if settings.digits else []
    if settings.kind == "bpe":
        core = Tokenizer(models.BPE())
        marks = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.pre_tokenizer = pre_tokenizers.Sequence([*digits, marks])
        core.decoder = decoders.ByteLevel()
    elif settings.kind == "unigram":
        core = Tokenizer(models.Unigram())
        spaces = pre_tokenizers.Metaspace(prepend_scheme="first")
        core.pre_tokenizer = pre_tokenizers.Sequence([spaces, *digits])
        core.decoder = decoders.Sequence(
            [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")]
        )
    else:
        core = Tokenizer(models.WordPiece(unk_token=settings.roles["unk_token"]))
        core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), *digits])
        core.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    core.normalizer = _normaliser(settings)
    return core


def _trainer(settings: TokenizerSettings, alphabet: list[str]) -> Any:
    from tokenizers import pre_tokenizers, trainers

    shared: dict[str, Any] = {"show_progress": False, "special_tokens": settings.special}
    if settings.kind == "unigram":
        return trainers.UnigramTrainer(
            vocab_size=settings.vocabulary - len(_BYTES),
            unk_token=settings.roles["unk_token"],
            max_piece_length=settings.longest,
            **shared,
        )
    shared |= {"vocab_size": settings.vocabulary, "min_frequency": settings.min_count}
    if settings.kind == "wordpiece":
        # Letters within words get their ids in the order of a hash table, which differs from run
        # to run, unless they are known before; `_completed` makes them ordinary tokens again.
        shared["special_tokens"] = [*settings.special, *map(_within_word, alphabet)]
        return trainers.WordPieceTrainer(limit_alphabet=len(alphabet), **shared)
    return trainers.BpeTrainer(
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=settings.longest,
        **shared,
    )


def _within_word(letter: str) -> str:
    return f"##{letter}"


def _completed(core: "Tokenizer", settings: TokenizerSettings, alphabet: list[str]) -> "Tokenizer":
    """The same tokenizer with what its trainer cannot know.

    Of a wordpiece trainer's special tokens only ours stay special. To unigram pieces, a token for
    each byte is added behind the special ones; their score is below any piece's, so that a
    character is spelt in bytes only where no piece holds it.
    """
    from tokenizers import Tokenizer

    record = json.loads(core.to_str())
    special = settings.special
    record["added_tokens"] = [each for each in record["added_tokens"] if each["content"] in special]
    if settings.kind == "unigram":
        model = record["model"]
        scores = _settled(dict(model["vocab"][len(special) :]), alphabet)
        least = min(scores.values()) - 10.0
        ordered = sorted(scores.items(), key=lambda each: (-each[1], each[0]))
        model["vocab"] = [
            *model["vocab"][: len(special)],
            *([each, least] for each in _BYTES),
            *map(list, ordered),
        ]
        model["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(record))


def _settled(scores: dict[str, float], alphabet: list[str]) -> dict[str, float]:
    """The scores of unigram pieces, the same for the same texts.

    Characters that no piece was learnt of get scores one step apart, in the order of a hash
    table; here they get the same scores in the order of how common they are.
    """
    least = min(scores.values())

    def in_steps(score: float) -> bool:
        steps = (score - least) / _STEP
        return steps < len(alphabet) + 1 and abs(steps - round(steps)) < 1e-6

    added = [sign for sign in alphabet if sign in scores and in_steps(scores[sign])]
    best_first = sorted((scores[sign] for sign in added), reverse=True)
    settled = scores | dict(zip(added, best_first, strict=True))
    # Sums in the order of a hash table differ in their last digits.
    return {piece: round(score, 6) for piece, score in settled.items()}


def _finish(core: "Tokenizer", settings: TokenizerSettings) -> None:
    """What stands around a text, and around two."""
    from tokenizers import processors

    around: dict[Purpose, tuple[str, str, list[str]]] = {
        "write": ("$A", "$A $B", []),
        "read": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"]),
        "translate": ("$A </s>", "$A </s> $B </s>", ["</s>"]),
    }
    single, pair, names = around[settings.aim]
    if not names:
        return
    core.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(name, core.token_to_id(name)) for name in names]
    )


def _wrapped(core: "Tokenizer", settings: TokenizerSettings) -> "PreTrainedTokenizerBase":
    from transformers import PreTrainedTokenizerFast

    masks = [name for name in settings.special if name.startswith("<extra_id_")]
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=settings.context,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=masks or None,
        **settings.roles,
    )
