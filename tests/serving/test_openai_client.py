"""What the official client sees, and that the store holds the same."""

import math

import openai
import pytest
import torch

from speaq.models.decoding import Decoding, guide, log_probabilities

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]


def rescored(model, prompt_ids, turn, decoding, beta):
    """Log-probabilities (K,) of a stored reply by one forward pass."""
    tokens = torch.tensor([[*prompt_ids, *turn.token_ids]])
    with torch.no_grad():
        states = model.hidden_states(tokens)[0, len(prompt_ids) - 1 : -1]
        logits = guide(model.output_layer(states), model.head.advantages(states), beta)
        logprobs = log_probabilities(logits, decoding)
    return logprobs[range(len(turn.token_ids)), list(turn.token_ids)].tolist()


def chat(running, **more):
    asked = {"model": "tiny", "messages": HELLO, "max_tokens": 12, "seed": 3, **more}
    return running.client().chat.completions.create(**asked)


def test_the_stored_episode_is_what_was_returned_and_what_was_drawn(running):
    answer = chat(running, logprobs=True, top_logprobs=2, temperature=0.8, top_p=0.9, user="p-7")
    episode = running.store.get(answer.id)
    (turn,) = episode.actions
    model = running.desk.model
    assert turn.text == answer.choices[0].message.content
    returned = [one.logprob for one in answer.choices[0].logprobs.content]
    assert returned == pytest.approx(turn.logprobs[: len(returned)], abs=1e-6)
    expected = rescored(
        model,
        model.encode("Be brief.你好"),
        turn,
        Decoding(temperature=0.8, top_p=0.9),
        beta=2.0,
    )
    assert list(turn.logprobs) == pytest.approx(expected, abs=1e-4)
    assert [(t.role, t.speaker, t.text) for t in episode.turns[:2]] == [
        ("observation", "system", "Be brief."),
        ("observation", "user", "你好"),
    ]
    assert episode.model == model.name
    assert episode.tokenizer == model.tokenizer_fingerprint
    assert episode.subject == "p-7"
    assert episode.truncated is (answer.choices[0].finish_reason == "length")
    assert (episode.tags["beta"], episode.tags["temperature"], episode.tags["top_p"]) == (
        "2.0",
        "0.8",
        "0.9",
    )
    assert answer.usage.completion_tokens == len(turn.token_ids)


def test_bytes_of_the_tokens_join_to_the_text(running):
    answer = chat(running, logprobs=True)
    data = b"".join(bytes(one.bytes) for one in answer.choices[0].logprobs.content)
    assert data.decode("utf-8", "replace") == answer.choices[0].message.content


def test_a_stream_says_the_same_as_one_piece_and_its_id_is_known_from_the_first_word(running):
    whole = chat(running, logprobs=True)
    stream = chat(running, logprobs=True, stream=True, stream_options={"include_usage": True})
    text, logprobs, ids, usage, reason = "", [], set(), None, None
    for chunk in stream:
        assert running.desk.knows(chunk.id)
        ids.add(chunk.id)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            logprobs += [one.logprob for one in choice.logprobs.content] if choice.logprobs else []
            reason = choice.finish_reason or reason
    assert text == whole.choices[0].message.content
    assert logprobs == [one.logprob for one in whole.choices[0].logprobs.content]
    assert (reason, usage) == (whole.choices[0].finish_reason, whole.usage)
    (answer_id,) = ids
    assert running.store.get(answer_id).reply == text
    assert not running.desk.journal.holds(answer_id)


def test_several_choices_are_several_episodes(running):
    answer = chat(running, n=3)
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    stored = [running.store.get(i) for i in (answer.id, f"{answer.id}-1", f"{answer.id}-2")]
    assert [episode.reply for episode in stored] == texts
    streamed = ["", "", ""]
    for chunk in chat(running, n=3, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_a_reply_ends_before_its_stop_string(running):
    free = chat(running, max_tokens=40).choices[0].message.content
    stop = free[len(free) // 2 :][:2]
    answer = chat(running, max_tokens=40, stop=[stop, "never said"], logprobs=True)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == free[: free.find(stop)]
    turn = running.store.get(answer.id).actions[0]
    assert len(turn.token_ids) > len(answer.choices[0].logprobs.content)
    assert not running.store.get(answer.id).truncated


def test_completions_continue_a_raw_prompt(running):
    client = running.client()
    asked = {"model": running.desk.model.name, "prompt": ["一", "two"], "seed": 1}
    answer = client.completions.create(**asked, n=2, max_tokens=6, logprobs=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    for choice in answer.choices:
        reported = choice.logprobs
        assert "".join(reported.tokens).startswith(choice.text[:1])
        assert all(len(best) <= 2 for best in reported.top_logprobs)
        assert reported.text_offset[0] == 0
    third = running.store.get(f"{answer.id}-2")
    assert third.prompt == "two"
    assert third.tags["prompt"] == "raw"
    assert third.reply == answer.choices[2].text
    streamed = client.completions.create(**{**asked, "prompt": "two"}, max_tokens=6, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed)


def test_temperature_zero_is_certain(running):
    first, second = (chat(running, temperature=0, seed=s, logprobs=True) for s in (1, 2))
    assert first.choices[0].message.content == second.choices[0].message.content
    assert all(one.logprob == 0 for one in first.choices[0].logprobs.content)


def test_store_says_what_may_be_learnt_from(running):
    assert running.store.get(chat(running).id).consent is None
    assert running.store.get(chat(running, store=True).id).consent == ("learn",)
    assert running.store.get(chat(running, store=False).id).consent == ()


def test_the_models_are_the_one_there_is(running):
    client = running.client()
    (model,) = client.models.list().data
    assert model.id == running.desk.model.name
    assert client.models.retrieve(model.id).owned_by == "speaq"
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4' here"):
        client.models.retrieve("gpt-4")


@pytest.mark.parametrize(
    ("wrong", "param", "said"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"temperature": -1}, "temperature", "greater than or equal to 0"),
        ({"top_p": 0}, "top_p", "greater than 0"),
        ({"n": 99}, "n", "less than or equal to 8"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages", "empty"),
        ({"messages": [{"role": "king", "content": "a"}]}, "messages.0.role", "'system'"),
        ({"messages": [{"role": "user", "content": "a\x00"}]}, "messages.0.content", "NUL"),
        ({"stop": ""}, "stop", "at least 1 character"),
        ({"top_logprobs": 2}, None, "top_logprobs needs logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "0"),
        ({"extra_body": {"best_hat": 1}}, "best_hat", "not supported"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "not supported"),
        ({"max_tokens": 600}, "messages", "exceed the model's 512"),
        ({"messages": [{"role": "user", "content": "a" * 600}]}, "messages", "exceed"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_its_field(running, wrong, param, said):
    with pytest.raises(openai.BadRequestError) as refused:
        chat(running, **wrong)
    assert refused.value.body["param"] == param
    assert said in refused.value.body["message"]
    assert refused.value.body["type"] == "invalid_request_error"
    assert running.store.count() == 0


def test_refusals_speak_chinese_to_who_asks_so(running):
    with pytest.raises(openai.BadRequestError) as refused:
        chat(running, temperature=3, extra_headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert refused.value.body["message"] == "字段“temperature”无效：必须不大于 2.0。"


def test_an_unknown_model_is_not_found(running):
    with pytest.raises(openai.NotFoundError) as refused:
        chat(running, model="gpt-4")
    assert refused.value.body["code"] == "model_not_found"


def test_a_failing_request_tells_nothing_and_harms_no_other(running, monkeypatch, caplog):
    def broken(*arguments, **named):
        raise ArithmeticError("the prompt was: secret words")

    monkeypatch.setattr("speaq.serving.answering.draw_tokens", broken)
    with pytest.raises(openai.InternalServerError) as failed:
        chat(running)
    assert "secret" not in str(failed.value)
    assert "secret" not in caplog.text
    assert "ArithmeticError" in caplog.text
    monkeypatch.undo()
    assert math.isfinite(chat(running, logprobs=True).choices[0].logprobs.content[0].logprob)
