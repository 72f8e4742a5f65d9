import selectors
import threading

from nbflow.worker.inbox import Inbox


def test_items_come_in_order_and_wake_who_waits() -> None:
    inbox: Inbox[int] = Inbox()
    with selectors.DefaultSelector() as selector:
        selector.register(inbox, selectors.EVENT_READ)
        giver = threading.Timer(0.01, lambda: [inbox.put(n) for n in range(3)])
        giver.start()
        taken: list[int] = []
        while len(taken) < 3:
            assert inbox.wait(selector, 10) == []
            taken += inbox.take()
        giver.join()
        assert taken == [0, 1, 2]
    inbox.close()


def test_what_is_there_is_not_waited_for() -> None:
    inbox: Inbox[str] = Inbox()
    with selectors.DefaultSelector() as selector:
        selector.register(inbox, selectors.EVENT_READ)
        assert inbox.put("it")
        assert inbox.wait(selector, None) == []
        assert list(inbox.take()) == ["it"]
    inbox.close()


def test_a_closed_inbox_takes_nothing() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("before")
    inbox.close()
    assert not inbox.put("after")
    assert list(inbox.take()) == ["before"]
