"""The I/O thread's waiting, step by step in one thread."""

import os
import socket
from collections.abc import Iterator

import pytest

from nbflow.worker.lookout import Found, Lookout


class Scene:
    """A lookout with the far end of its socket, and of one pipe that calls write to."""

    def __init__(self) -> None:
        self.far, self.near = socket.socketpair()
        self.output, self.writer = os.pipe()
        self.lookout = Lookout(self.near, [self.output])


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.far.close()
    scene.near.close()
    os.close(scene.output)
    os.close(scene.writer)


NOTHING = Found(has_output=False, has_message=False, is_late=False)


def test_a_bundle_that_begins_wakes_it_and_one_that_goes_on_is_late(scene: Scene) -> None:
    scene.lookout.turn_over()
    assert scene.lookout.wait() == NOTHING
    assert scene.lookout.wait().is_late


def test_a_bundle_that_has_ended_is_not_late(scene: Scene) -> None:
    scene.lookout.turn_over()
    scene.lookout.wait()
    scene.lookout.turn_over()
    assert scene.lookout.wait() == NOTHING
    assert scene.lookout.wait() == NOTHING


def test_messages_are_left_to_the_main_thread_unless_it_is_busy_for_long(scene: Scene) -> None:
    scene.far.send(b"!")
    scene.lookout.turn_over()
    assert scene.lookout.wait() == NOTHING
    assert scene.lookout.wait().is_late
    assert scene.lookout.wait().has_message
    scene.lookout.turn_over()
    assert scene.lookout.wait().has_message, "it was listening when the bundle ended"
    assert not scene.lookout.wait().has_message


def test_output_is_told_at_any_time(scene: Scene) -> None:
    os.write(scene.writer, b"!")
    assert scene.lookout.wait() == Found(has_output=True, has_message=False, is_late=False)
