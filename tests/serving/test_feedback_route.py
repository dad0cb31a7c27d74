import json
import threading

import httpx
import pytest

from speaq.experience.store import ExperienceStore


def answered(running):
    messages = [{"role": "user", "content": "hi"}]
    return running.client().chat.completions.create(
        model="tiny", messages=messages, max_tokens=4, n=2
    )


def post(running, headers=None, **body):
    return httpx.post(running.url + "/v1/feedback", json=body, headers=headers)


@pytest.mark.parametrize("value", [True, False, 4, 0.25, "好"])
def test_feedback_is_joined_to_its_answer(running, value):
    answer = answered(running)
    reply = post(running, id=answer.id, kind="mine", value=value, comment="c", correction="改")
    assert reply.json() == {"object": "feedback", "id": answer.id, "stored": True}
    events = running.store.get(answer.id).feedback
    assert [(event.kind, event.value) for event in events] == [
        ("mine", value),
        ("comment", "c"),
        ("correction", "改"),
    ]
    assert type(events[0].value) is (float if type(value) is int else type(value))


def test_feedback_is_on_disk_when_it_is_acknowledged(running, tmp_path):
    answer = answered(running)
    assert post(running, id=answer.id, value=True).status_code == 200
    with ExperienceStore(tmp_path / "store.sqlite") as another:
        assert [event.value for event in another.get(answer.id).feedback] == [True]


@pytest.mark.parametrize("place", ["body", "header"])
def test_the_same_event_twice_changes_nothing(running, place):
    answer = answered(running)
    body = {"id": answer.id, "value": True, "comment": "c"}
    headers = {"Idempotency-Key": "k1"} if place == "header" else {}
    body |= {"key": "k1"} if place == "body" else {}
    first, second = (post(running, headers, **body).json()["stored"] for _ in range(2))
    assert (first, second) == (True, False)
    assert len(running.store.get(answer.id).feedback) == 2


def test_the_same_event_from_many_at_once_is_kept_once(running):
    answer = answered(running)
    stored = []

    def send():
        stored.append(post(running, id=answer.id, value=1, key="one").json()["stored"])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False] * 7 + [True]
    assert len(running.store.get(answer.id).feedback) == 1


def test_each_choice_has_its_own_feedback(running):
    answer = answered(running)
    post(running, id=answer.id, choice=1, value=0.5)
    assert running.store.get(answer.id).feedback == ()
    assert running.store.get(f"{answer.id}-1").feedback[0].value == 0.5


@pytest.mark.parametrize("wrong", ["nobody", "../store", "a/../../b"])
def test_an_unknown_id_is_told_and_nothing_kept(running, wrong):
    reply = post(running, id=wrong, value=True)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"] == f"no answer with id '{wrong}' was given here."


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"value": None}, "value"),
        ({"value": ""}, "value"),
        ({"value": [1]}, "value"),
        ({"value": True, "kind": ""}, "kind"),
        ({"value": True, "choice": -1}, "choice"),
        ({"value": True, "rating": 5}, "rating"),
        ({"value": True, "comment": "\ud800"}, "comment"),
    ],
)
def test_wrong_feedback_names_its_field(running, wrong, param):
    answer = answered(running)
    body = json.dumps({"id": answer.id, **wrong})
    reply = httpx.post(
        running.url + "/v1/feedback", content=body, headers={"Content-Type": "application/json"}
    )
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert running.store.get(answer.id).feedback == ()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(running, number):
    answer = answered(running)
    body = f'{{"id": "{answer.id}", "value": {number}}}'
    reply = httpx.post(
        running.url + "/v1/feedback", content=body, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 400
    assert running.store.get(answer.id).feedback == ()
