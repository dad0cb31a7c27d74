"""Logs of other programs as episodes, and what is said about those that are not."""

import json
from dataclasses import replace

import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.experience.episode import Feedback, Turn
from speaq.experience.importers import read_episodes
from speaq.experience.rewards import action_rewards, feedback


@pytest.fixture
def put(tmp_path):
    def put(name, content):
        if isinstance(content, list):
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def said(turns):
    return [(turn.role, turn.speaker, turn.text) for turn in turns]


@pytest.mark.parametrize(
    "header", ["prompt,response,score", "Question, Answer ,RATING", "问题,回答,评分"]
)
def test_a_table_by_its_usual_names(put, header):
    (first, second) = read_episodes(put("a.csv", f"{header}\nhow?,so.,0.5\nwhy?,because.,\n"))
    assert (first.prompt, first.reply) == ("how?", "so.")
    assert first.feedback == (Feedback("score", 0.5, 0.0, "import"),)
    assert feedback(first) == [0.5]
    assert second.feedback == () and feedback(second) is None


def test_a_gbk_table_of_chinese(put):
    path = put("a.csv", "提示,回复,评分\n怎么退货,请在订单页面点击退货。,5\n".encode("gbk"))
    (episode,) = read_episodes(path)
    assert (episode.prompt, episode.reply) == ("怎么退货", "请在订单页面点击退货。")


def test_a_table_by_given_names_keeps_the_rest_as_tags(put):
    row = {
        "q": "how?",
        "a": "so.",
        "s": 1,
        "time": "2026-01-31T12:00:00Z",
        "model": "m",
        "shop": "x",
    }
    (episode,) = read_episodes(put("a.jsonl", [row]), prompt="q", response="a", score="s")
    assert episode.time == 1769860800.0 and episode.model == "m"
    assert episode.tags == {"shop": "x"} and feedback(episode) == [1.0]


def test_thumbs_in_words_and_values(put):
    path = put("a.csv", "prompt,response,thumb\na,b,true\na,b,👎\na,b,DOWN\n")
    assert [feedback(each) for each in read_episodes(path)] == [[1.0], [0.0], [0.0]]


def test_consent_and_subject_come_along_and_an_empty_consent_is_none_given(put):
    path = put("a.csv", 'prompt,response,score,subject,consent\na,b,1,p1,"learn, share"\na,c,1,,\n')
    first, second = read_episodes(path)
    assert (first.subject, first.consent) == ("p1", ("learn", "share"))
    assert (second.subject, second.consent) == (None, ())
    (own,) = read_episodes(put("b.csv", "prompt,response,score\na,b,1\n"))
    assert own.consent is None


def test_ids_come_from_the_row_or_from_its_content(put):
    rows = "prompt,response,score\na,b,1\na,b,1\na,c,0\n"
    ids = [each.id for each in read_episodes(put("a.csv", rows))]
    assert len(set(ids)) == 3
    longer = [each.id for each in read_episodes(put("later.csv", rows + "d,e,1\n"))]
    assert longer[:3] == ids
    (named,) = read_episodes(
        put("b.jsonl", [{"id": 7, "prompt": "a", "response": "b", "score": 1}])
    )
    assert named.id == "7"


def test_one_id_for_two_interactions_is_refused(put):
    path = put("a.csv", "id,prompt,response,score\nq1,a,b,1\nq1,a,c,0\n")
    with pytest.raises(DataError, match="already names another episode") as caught:
        read_episodes(path)
    assert (caught.value.row, caught.value.field) == (3, "id")


def test_the_same_row_twice_under_one_id_counts_once(put):
    assert len(read_episodes(put("a.csv", "id,prompt,response,score\nx,a,b,1\nx,a,b,1\n"))) == 1


CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you."},
]


def test_a_chat_log_judges_the_last_reply_only(put):
    (episode,) = read_episodes(put("a.jsonl", [{"messages": CHAT, "score": 0.25}]))
    assert said(episode.turns) == [
        ("observation", "system", "Be kind."),
        ("observation", "user", "Hi"),
        ("observation", "assistant", "Hello!"),
        ("observation", "user", "Bye"),
        ("action", "user", "See you."),
    ]
    assert action_rewards(episode, feedback) == [0.25]


def test_sharegpt_names_are_known(put):
    row = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]}
    (episode,) = read_episodes(put("a.jsonl", [row]))
    assert said(episode.turns) == [("observation", "user", "Hi"), ("action", "user", "Yo")]


def test_a_prompt_may_be_a_list_of_messages(put):
    row = {"prompt": CHAT[:4], "response": "See you.", "score": 1}
    (episode,) = read_episodes(put("a.jsonl", [row]))
    assert [turn.role for turn in episode.turns] == ["observation"] * 4 + ["action"]


def test_pairs_give_two_episodes(put):
    rows = [{"prompt": "Hi", "chosen": "Hello!", "rejected": "What?", "margin": 2}]
    good, bad = read_episodes(put("a.jsonl", rows))
    assert (good.reply, good.reward, good.tags["side"]) == ("Hello!", 1.0, "chosen")
    assert (bad.reply, bad.reward, bad.tags["side"]) == ("What?", 0.0, "rejected")
    assert good.prompt == bad.prompt == "Hi"
    assert good.tags["pair"] == bad.tags["pair"] and good.id != bad.id
    assert good.tags["margin"] == "2"


def test_pairs_of_whole_dialogues(put):
    start = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Human: is it\n\nnice?\n\nAssistant:"
    path = put("a.jsonl", [{"chosen": start + " Yes.", "rejected": start + " No."}])
    good, bad = read_episodes(path)
    assert said(good.turns) == [
        ("observation", "user", "Hi"),
        ("observation", "assistant", "Hello!"),
        ("observation", "user", "Human: is it\n\nnice?"),
        ("action", "user", "Yes."),
    ]
    assert bad.turns == (*good.turns[:-1], Turn("action", "No."))


def test_pairs_of_message_lists(put):
    worse = [*CHAT[:-1], {"role": "assistant", "content": "Go."}]
    good, bad = read_episodes(put("a.jsonl", [{"prompt": "Hi", "chosen": CHAT, "rejected": worse}]))
    assert (good.reply, bad.reply) == ("See you.", "Go.") and len(good.turns) == 5


def test_two_alike_pairs_stay_two(put):
    rows = [{"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"}] * 2
    assert len({each.id for each in read_episodes(put("a.jsonl", rows))}) == 4


def test_unrated_logs_are_read_when_asked_for(put):
    path = put("a.csv", "prompt,response\na,b\n")
    (episode,) = read_episodes(path, score="none")
    assert episode.feedback == ()


def test_unusable_rows_can_be_collected(put):
    rows = [{"chosen": "a", "rejected": ""}, {"chosen": "b", "rejected": "c"}, {"chosen": 1}]
    skipped = []
    episodes = read_episodes(put("a.jsonl", rows), skipped=skipped)
    assert [each.reply for each in episodes] == ["b", "c"]
    assert [(error.row, error.field) for error in skipped] == [(1, "rejected"), (3, "chosen")]


ROW = {"prompt": "a", "response": "b", "score": 1}
TABLE = "prompt,response,score\n"
TWO = {"input": "x", "query": "y", "response": "b", "score": 1}
NAN = '{"prompt": "a", "response": "b", "score": NaN}\n'
NAN_REWARD = '{"id": "e", "reward": NaN, "turns": [{"role": "action", "text": "x"}]}\n'
BOSS = [{"role": "boss", "content": "x"}]
PICTURE = [{"role": "user", "content": [{"type": "image_url"}]}]

# What is wrong: (file ending, content, row, field, what the sentence says)
WRONG = {
    "unknown column": ("csv", "promt,response,score\na,b,1\n", None, "prompt", "found: promt"),
    "no score": ("csv", "prompt,response\na,b\n", None, "score", "score=none"),
    "two prompts": ("jsonl", [TWO], None, "prompt", "query and input"),
    "missing": ("jsonl", [ROW, {"prompt": "a", "score": 1}], 2, "response", "lacks it"),
    "number": ("jsonl", [ROW | {"prompt": 3}], 1, "prompt", "expected text, found int 3"),
    "null": ("jsonl", [ROW | {"response": None}], 1, "response", "found nothing"),
    "empty prompt": ("csv", TABLE + "a,b,1\n,b,1\n", 3, "prompt", "empty"),
    "blank reply": ("csv", TABLE + "a,  ,1\n", 2, "response", "empty"),
    "score in words": ("csv", TABLE + "a,b,good\n", 2, "score", "found 'good'"),
    "score nan": ("csv", TABLE + "a,b,nan\n", 2, "score", "not a finite"),
    "score list": ("jsonl", [ROW | {"score": [1]}], 1, "score", "expected a number"),
    "JSON NaN": ("jsonl", NAN, 1, "score", "not a finite"),
    "NaN reward": ("jsonl", NAN_REWARD, 1, "reward", "not a finite"),
    "cut line": ("jsonl", NAN + NAN[:30], 2, None, "cut off"),
    "time": ("csv", "prompt,response,score,time\na,b,1,soon\n", 2, "time", "seconds since"),
    "no reply": ("jsonl", [{"messages": CHAT[:2]}], 1, "messages", "assistant"),
    "speaker": ("jsonl", [{"messages": BOSS}], 1, "messages[0].role", "none of"),
    "picture": ("jsonl", [{"messages": PICTURE}], 1, "messages[0].content", "not text"),
    "one side": (
        "jsonl",
        [{"chosen": "a", "rejected": "b"}, {"chosen": "a"}],
        2,
        "rejected",
        "lacks",
    ),
    "no rows": ("csv", TABLE, None, None, "no rows"),
    "nothing": ("jsonl", "", None, None, "no rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_sentence_with_file_row_and_field(put, case):
    ending, content, row, field, says = WRONG[case]
    path = put(f"a.{ending}", content)
    with pytest.raises(DataError, match=says) as caught:
        read_episodes(path)
    assert (caught.value.file, caught.value.row, caught.value.field) == (path, row, field)
    assert "\n" not in caught.value.en and "\n" not in caught.value.zh


def test_a_misspelt_column_gets_a_suggestion(put):
    path = put("a.csv", "ask,reply,mark\na,b,1\n")
    with pytest.raises(DataError, match=r"found: ask, reply, mark.*did you mean 'ask'") as caught:
        read_episodes(path, prompt="aks", score="mark")
    assert (caught.value.file, caught.value.field) == (path, "aks")


def test_an_unknown_layout_is_refused(put):
    with pytest.raises(SettingsError, match="known are auto, episodes"):
        read_episodes(put("a.csv", "a\n1\n"), layout="tabel")


def test_importing_twice_gives_equal_episodes(put):
    path = put("a.jsonl", [{"messages": CHAT, "score": 1}, ROW | {"messages": CHAT}])
    assert read_episodes(path) == read_episodes(path)
    assert replace(read_episodes(path)[0], time=1.0) != read_episodes(path)[0]
