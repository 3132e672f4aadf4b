from ds01_spawner.spawner.progress import Place, ProgressLog, Stage
from ds01_spawner.spawner.stages import Start, start_of


def shown(start: Start) -> list[tuple[str, str]]:
    return [(line.stage.value, line.state.value) for line in start.lines if not line.hidden]


def test_before_anything_is_said_every_usual_step_is_still_to_come() -> None:
    usual = ["limits", "create", "start", "answer", "ready"]
    assert shown(start_of((), wants_gpu=False)) == [(stage, "todo") for stage in usual]
    assert ("gpu", "todo") in shown(start_of((), wants_gpu=True))


def test_a_start_that_waits_shows_its_place_and_what_is_done() -> None:
    log = ProgressLog()
    log.say(Stage.LIMITS, "Checking your limits")
    reason = "Suitable GPUs: 2 in use."
    place = Place(place=2, length=3, reason=reason, wait="about 2 hours", wait_seconds=7200)
    log.say(Stage.QUEUE, "long words", place)
    start = start_of(log.told, wants_gpu=True)
    assert shown(start)[:3] == [("limits", "done"), ("queue", "now"), ("gpu", "todo")]
    assert (start.place, start.length, start.reason, start.percent) == (2, 3, reason, 10)
    assert start.wait == "about 2 hours"
    assert [line.text for line in start.lines if line.stage is Stage.QUEUE] == ["Waiting for a GPU"]


def test_steps_that_were_not_needed_stay_out_and_those_told_keep_their_words() -> None:
    log = ProgressLog()
    log.say(Stage.LIMITS, "Checking your limits")
    log.say(Stage.GPU, "GPU 0:1 reserved for you")
    log.say(Stage.START, "Starting your server")
    start = start_of(log.told, wants_gpu=True)
    assert shown(start) == [
        ("limits", "done"),
        ("gpu", "done"),
        ("create", "done"),
        ("start", "now"),
        ("answer", "todo"),
        ("ready", "todo"),
    ]
    assert "GPU 0:1 reserved for you" in [line.text for line in start.lines]
    assert start.place == 0


def test_why_it_failed_is_for_programs_and_no_step() -> None:
    log = ProgressLog()
    log.say(Stage.LIMITS, "Checking your limits")
    log.refuse("2 of 2 in use.", {"kind": "forbidden"})
    assert log.told[-1]["step"] is Stage.LIMITS
    assert "2 of 2 in use." not in [line.text for line in start_of(log.told, wants_gpu=True).lines]
