"""A network between pilots and their kernel that is slow, and that can swallow what is sent."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 4096


class Link:
    """Carry connections to a port, each way with a delay, at so many bytes a second.

    While it `is_cut` nothing gets through and nothing is closed, as behind a router that lost its way: what
    is sent then is late, as TCP sends it again.
    """

    def __init__(self, target: int, *, delay: float = 0.0, rate: float = float("inf")) -> None:
        self._target = target
        self._delay = delay
        self._rate = rate
        self.is_cut = {"up": False, "down": False}
        self.port = 0

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.ensure_future(self._carry("up", reader, far[1])),
            asyncio.ensure_future(self._carry("down", far[0], writer)),
        ]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far[1]):
            end.close()

    async def _carry(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        is_free_at = loop.time()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await under_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                while self.is_cut[way]:
                    await asyncio.sleep(0.02)
                writer.write(chunk)
                under_way.task_done()

        delivery = asyncio.ensure_future(deliver())
        try:
            with suppress(OSError):
                while chunk := await reader.read(CHUNK):
                    is_free_at = max(is_free_at, loop.time()) + len(chunk) / self._rate
                    under_way.put_nowait((is_free_at + self._delay, chunk))
                    await asyncio.sleep(max(0.0, is_free_at - loop.time()))
            await under_way.join()
        finally:
            delivery.cancel()


@contextmanager
def link(target: int, *, delay: float = 0.0, rate: float = float("inf")) -> Iterator[Link]:
    """Give a link to a port of this machine."""
    loop = asyncio.new_event_loop()
    made = Link(target, delay=delay, rate=rate)
    server = loop.run_until_complete(made.serve())
    thread = threading.Thread(target=loop.run_forever, name="link")
    thread.start()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end_tasks())
        loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
