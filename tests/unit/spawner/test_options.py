from typing import Any

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.spawner.options import Options, options_from_form, parse_options


def test_nothing_chosen_is_the_default_image_without_a_gpu() -> None:
    assert parse_options({}) == Options(image=None, gpu=GpuRequest(), wait=True, project=None)


def test_everything_chosen_is_read() -> None:
    options = parse_options(
        {"image": "starter", "gpu": "2g.10gb", "gpu_count": 2, "wait": False, "project": "thesis"}
    )
    assert options.image == "starter"
    assert options.gpu == GpuRequest(GpuKind.PROFILE, 2, profile="2g.10gb")
    assert not options.wait
    assert options.project == "thesis"


@pytest.mark.parametrize("empty", ["", None])
def test_empty_text_is_no_choice(empty: str | None) -> None:
    assert parse_options({"image": empty, "gpu": empty, "project": empty}) == Options()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "Server options must be an object. Keys: image, gpu, gpu_count, wait, project."),
        ([("gpu", "mig")], "Server options must be an object."),
        ("gpu=mig", "Server options must be an object."),
        (
            {"user": "root"},
            "Unknown server option: user. Use image, gpu, gpu_count, wait, project.",
        ),
        ({"labels": {}, "cap_add": []}, "Unknown server options: cap_add, labels."),
        ({3: 1}, "Unknown server option: 3."),
        ({"GPU": "mig"}, "Unknown server option: GPU."),
        ({"image": ["starter"]}, "image must be text, not ['starter']."),
        ({"image": False}, "image must be text, not False."),
        ({"gpu": 1}, "gpu must be text, not 1."),
        ({"project": {}}, "project must be text, not {}."),
        ({"gpu_count": "1"}, "gpu_count must be a whole number, not '1'."),
        ({"gpu_count": 1.0}, "gpu_count must be a whole number, not 1.0."),
        ({"gpu_count": True}, "gpu_count must be a whole number, not True."),
        ({"gpu_count": None}, "gpu_count must be a whole number, not None."),
        ({"wait": 1}, "wait must be true or false, not 1."),
        ({"wait": "false"}, "wait must be true or false, not 'false'."),
        ({"gpu": "mig", "gpu_count": 0}, "0 GPU slots cannot be requested. Ask for 1 to 64."),
        ({"gpu": "mig", "gpu_count": -5}, "-5 GPU slots cannot be requested."),
        ({"gpu": "mig", "gpu_count": 65}, "65 GPU slots cannot be requested."),
        ({"gpu": "big"}, "'big' is not a GPU size."),
    ],
    ids=str,
)
def test_mistakes_and_forgeries_are_refused_with_a_sentence(raw: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options(raw)
    assert str(caught.value).startswith(message)


def test_long_rubbish_makes_no_long_message() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options({"k" * 5000: 1, "image": "x" * 5000})
    assert len(str(caught.value)) < 400
    with pytest.raises(InvalidRequest) as caught:
        parse_options({"wait": "x" * 5000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, {}),
        ({"gpu": ["mig"], "project": ["  "]}, {"gpu": "mig"}),
        ({"gpu": []}, {}),
        ({"_xsrf": ["secret"], "image": [" starter "]}, {"image": "starter"}),
        ({"gpu_count": ["2"]}, {"gpu_count": 2}),
        ({"gpu_count": ["two"]}, {"gpu_count": "two"}),
        ({"gpu_count": ["-1"]}, {"gpu_count": "-1"}),
        ({"ds01_form": ["1"]}, {"wait": False}),
        ({"ds01_form": ["1"], "wait": ["true"]}, {"wait": True}),
        ({"wait": ["true"]}, {"wait": True}),
        ({"wait": ["no"]}, {"wait": False}),
    ],
    ids=str,
)
def test_form_fields_become_options(fields: dict[str, list[str]], options: dict[str, Any]) -> None:
    assert options_from_form(fields) == options


def test_a_field_that_the_form_does_not_have_is_left_for_the_refusal() -> None:
    options = options_from_form({"volumes": ["/:/host"], "ds01_form": ["1"]})
    with pytest.raises(InvalidRequest, match="Unknown server option: volumes"):
        parse_options(options)
