import threading

import pytest

from speaq.serving.engine import BusyError, Engine


@pytest.fixture
def engine():
    engine = Engine(parallel=1, max_waiting=1)
    yield engine
    engine.close()


def until(event):
    """A work that goes on until `event` is set or it is cancelled."""

    def work(ticket):
        while not (event.is_set() or ticket.cancelled):
            yield

    return work


def test_works_take_turns_step_by_step():
    engine = Engine(parallel=2, max_waiting=0)
    order, both = [], threading.Event()

    def counting(name):
        def work(ticket):
            both.wait()
            for i in range(3):
                order.append((i, name))
                yield

        return work

    tickets = [engine.submit(counting(name)) for name in "ab"]
    both.set()
    for ticket in tickets:
        ticket.done.result(10)
    engine.close()
    assert order.index((0, "b")) < order.index((2, "a"))
    assert len(order) == 6


def test_too_many_are_refused_with_a_time_to_come_back(engine):
    release = threading.Event()
    first, second = engine.submit(until(release)), engine.submit(until(release))
    assert not engine.ready
    with pytest.raises(BusyError, match=r"try again in \d+ s") as refused:
        engine.submit(until(release))
    assert refused.value.retry_after >= 1
    release.set()
    second.done.result(10)
    assert first.done.done()
    assert engine.ready
    assert engine.load == {"running": 0, "waiting": 0}


def test_a_failing_work_harms_no_other(engine):
    def failing(ticket):
        yield
        raise ZeroDivisionError

    release = threading.Event()
    bad = engine.submit(failing)
    good = engine.submit(until(release))
    assert isinstance(bad.done.exception(10), ZeroDivisionError)
    release.set()
    assert good.done.exception(10) is None


def test_cancelling_ends_a_work_that_runs_and_one_that_waits(engine):
    never = threading.Event()
    runs, waits = (engine.submit(until(never)) for _ in range(2))
    waits.cancel()
    assert waits.done.done()
    assert engine.load == {"running": 1, "waiting": 0}
    runs.cancel()
    runs.done.result(10)
    runs.cancel()
    assert engine.load == {"running": 0, "waiting": 0}


def test_closing_ends_everything_and_refuses_more():
    engine = Engine(parallel=1, max_waiting=4)
    tickets = [engine.submit(until(threading.Event())) for _ in range(3)]
    engine.close()
    assert all(ticket.done.done() for ticket in tickets)
    with pytest.raises(BusyError):
        engine.submit(until(threading.Event()))


def test_a_function_runs_between_steps_on_the_same_thread(engine):
    threads, release = set(), threading.Event()

    def work(ticket):
        threads.add(threading.get_ident())
        yield from until(release)(ticket)

    ticket = engine.submit(work)
    threads.add(engine.call(threading.get_ident))
    release.set()
    ticket.done.result(10)
    assert len(threads) == 1
    with pytest.raises(ZeroDivisionError):
        engine.call(lambda: 1 // 0)
