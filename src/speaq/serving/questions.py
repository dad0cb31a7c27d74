"""From a request to what is asked of the model."""

import secrets
from dataclasses import dataclass

from jinja2 import TemplateError

from speaq.core.seeds import derive
from speaq.experience.episode import Speaker, Turn
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.serving.answering import Desk
from speaq.serving.errors import refuse
from speaq.serving.recording import Question
from speaq.serving.schemas import ChatRequest, CompletionRequest

_SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


@dataclass(frozen=True)
class Asked:
    """One answer's questions: a choice each."""

    questions: tuple[Question, ...]
    prompt_tokens: int


def from_chat(desk: Desk, request: ChatRequest) -> Asked:
    """The choices of a chat request.

    Raises:
        RefusedError: unknown model, a conversation the template refuses or that is too long.
    """
    require_model(desk.model, request.model)
    turns = tuple(
        Turn("observation", message.text, speaker=_SPEAKERS[message.role])
        for message in request.messages
        if message.text
    )
    prefix = conversation_tokens(desk.model, turns)
    room = room_after(desk.model, len(prefix), request.longest, "messages")
    longest = request.longest or min(room, desk.settings.max_new_tokens)
    seed = _seed(request.seed)
    questions = tuple(
        _question(desk, request, prefix, turns, longest, derive(seed, "choice", i))
        for i in range(request.n)
    )
    return Asked(questions, len(prefix))


def from_completion(desk: Desk, request: CompletionRequest) -> Asked:
    """The choices of a completion request: n for each prompt, in order.

    Raises:
        RefusedError: unknown model, an empty prompt or one that is too long.
    """
    require_model(desk.model, request.model)
    seed = _seed(request.seed)
    questions = []
    total = 0
    for place, prompt in enumerate(request.prompts):
        prefix = tuple(desk.model.encode_prompt(prompt))
        if not prefix:
            raise refuse(400, "the prompt is empty.", "提示为空。", param="prompt")
        total += len(prefix)
        room = room_after(desk.model, len(prefix), request.max_tokens, "prompt")
        turns = (Turn("observation", prompt),)
        for i in range(request.n):
            own = derive(seed, "choice", place * request.n + i)
            longest = request.max_tokens or min(room, desk.settings.max_new_tokens)
            questions.append(_question(desk, request, prefix, turns, longest, own))
    return Asked(tuple(questions), total)


def conversation_tokens(model: LanguageModel, turns: tuple[Turn, ...]) -> tuple[int, ...]:
    """Tokens of a conversation up to where the reply begins.

    Raises:
        RefusedError: it is empty, or the model's chat template does not allow it.
    """
    try:
        prefix = tuple(opening(model, [Message(turn.speaker, turn.text) for turn in turns]))
    except TemplateError as error:
        raise refuse(
            400,
            f"the model's chat template does not allow this conversation: {error}.",
            f"模型的对话模板不接受这段对话：{error}。",
            param="messages",
        ) from error
    if not turns or not prefix:
        raise refuse(400, "the conversation is empty.", "对话为空。", param="messages")
    return prefix


def require_model(model: LanguageModel, asked: str) -> None:
    """Check that the served model was asked for, by its name with or without the version.

    Raises:
        RefusedError: 404, naming the model there is.
    """
    if asked not in (model.name, model.name.partition("@")[0]):
        raise refuse(
            404,
            f"there is no model '{asked}' here; this server has '{model.name}'.",
            f"这里没有模型“{asked}”；本服务器提供“{model.name}”。",
            param="model",
            code="model_not_found",
        )


def context_length(model: LanguageModel) -> int:
    """The most tokens the model takes."""
    return model.context_length


def room_after(model: LanguageModel, used: int, wanted: int | None, param: str) -> int:
    """Tokens left for the reply after `used` of prompt.

    Raises:
        RefusedError: not enough for `wanted`.
    """
    limit, room = context_length(model), model.room(used)
    if (wanted or 1) > room:
        raise refuse(
            400,
            f"{used} tokens of prompt and {wanted or 1} of answer exceed the model's {limit}.",
            f"提示的 {used} 个词元加回答的 {wanted or 1} 个超过模型的上限 {limit}。",
            param=param,
            code="context_length_exceeded",
        )
    return room


def _seed(asked: int | None) -> int:
    return secrets.randbits(62) if asked is None else asked


def consent_of(store: bool | None, usual: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What an answer may be used for: as its request says, else as the server's settings do."""
    if store is None:
        return usual
    return ("learn",) if store else ()


def _question(
    desk: Desk,
    request: ChatRequest | CompletionRequest,
    prefix: tuple[int, ...],
    turns: tuple[Turn, ...],
    longest: int,
    seed: int,
) -> Question:
    chat = isinstance(request, ChatRequest)
    return Question(
        prefix=prefix,
        turns=turns,
        decoding=Decoding(
            temperature=1.0 if request.temperature is None else request.temperature,
            top_p=1.0 if request.top_p is None else request.top_p,
            support=desk.settings.support,
            max_new_tokens=longest,
        ),
        beta=desk.beta,
        seed=seed,
        stops=request.stops,
        best=request.best if isinstance(request, ChatRequest) else request.logprobs or 0,
        app="chat" if chat else "completion",
        raw=not chat,
        subject=request.user,
        consent=consent_of(request.store, desk.settings.consent),
    )
