import asyncio

from ds01_spawner.spawner.progress import ProgressLog, Stage


async def messages(log: ProgressLog) -> list[str]:
    return [event["message"] async for event in log.follow()]


async def test_early_late_and_many_listeners_hear_the_same() -> None:
    log = ProgressLog()
    early = [asyncio.create_task(messages(log)) for _ in range(3)]
    await asyncio.sleep(0)
    log.say(Stage.LIMITS, "one")
    await asyncio.sleep(0)
    middle = asyncio.create_task(messages(log))
    log.say(Stage.QUEUE, "two")
    log.say(Stage.GPU, "three")
    log.close()
    late = asyncio.create_task(messages(log))
    heard = await asyncio.gather(*early, middle, late)
    assert heard == [["one", "two", "three"]] * 5


async def test_what_is_said_while_a_listener_is_busy_is_not_missed() -> None:
    log = ProgressLog()
    log.say(Stage.LIMITS, "one")
    heard = []
    async for event in log.follow():
        heard.append(event["message"])
        if event["message"] == "one":
            log.say(Stage.QUEUE, "two")
        else:
            log.close()
    assert heard == ["one", "two"]


async def test_the_same_step_is_said_once() -> None:
    log = ProgressLog()
    for _ in range(3):
        log.say(Stage.QUEUE, "place 1 of 2")
    log.say(Stage.QUEUE, "place 1 of 1")
    log.close()
    assert await messages(log) == ["place 1 of 2", "place 1 of 1"]


async def test_a_listener_may_leave() -> None:
    log = ProgressLog()
    listener = asyncio.create_task(messages(log))
    await asyncio.sleep(0)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    log.say(Stage.LIMITS, "one")
    log.close()
    assert await messages(log) == ["one"]
    assert log.closed


def test_steps_take_as_long_as_until_the_next() -> None:
    seconds = iter([0.0, 1.0, 4.0, 4.5, 10.0])
    log = ProgressLog(lambda: next(seconds))
    log.say(Stage.LIMITS, "one")
    log.say(Stage.QUEUE, "two")
    log.say(Stage.QUEUE, "still two")
    log.say(Stage.GPU, "three")
    log.say(Stage.CREATE, "four")
    assert log.durations() == {
        Stage.LIMITS: 1.0,
        Stage.QUEUE: 3.0,
        Stage.GPU: 0.5,
        Stage.CREATE: 5.5,
    }
