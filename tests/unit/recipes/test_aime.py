import pytest

from ds01_spawner.recipes.aime import read_rows

NEWEST = "Pytorch, 2.11.0-aime, [CUDA_BLACKWELL;CUDA_ADA], aimehub/pytorch-2.11.0-aime-cuda12.9.1"


def test_a_row_with_several_gpus_in_brackets() -> None:
    (found,) = read_rows(NEWEST).frameworks
    assert found.key == "pytorch-2.11.0-aime"
    assert found.base == "aimehub/pytorch-2.11.0-aime-cuda12.9.1:latest"
    assert found.architectures == ("CUDA_BLACKWELL", "CUDA_ADA")
    assert found.family == "pytorch"
    assert found.gpu


@pytest.mark.parametrize(
    ("row", "architectures"),
    [
        ("Tensorflow, 2.16.1, CUDA_ADA, aimehub/tensorflow-2.16.1-cuda12.3", ("CUDA_ADA",)),
        ("Tensorflow,2.16.1,CUDA_ADA,aimehub/tensorflow-2.16.1-cuda12.3", ("CUDA_ADA",)),
        ("  Tensorflow ,\t2.16.1, [CUDA_ADA] , aimehub/t:1  # newest", ("CUDA_ADA",)),
        ("T, 1, [ A ; B;C ], x/t", ("A", "B", "C")),
        ("T, 1, A;B, x/t", ("A", "B")),
        ("T, 1, [A, B], x/t", ("A", "B")),
        ("Mxnet, 1.8.0-nvidia, CUDA_AMPERE, aimehub/mxnet-1.8.0-nvidia-20.12", ("CUDA_AMPERE",)),
    ],
)
def test_spellings_of_the_gpus(row: str, architectures: tuple[str, ...]) -> None:
    found = read_rows(row)
    assert [each.architectures for each in found.frameworks] == [architectures]
    assert not found.problems


def test_comments_and_empty_lines_say_nothing() -> None:
    assert read_rows("# AIME\n\n   \n# Pytorch, 1, A, x/y\n") == read_rows("")


@pytest.mark.parametrize(
    "row",
    [
        "Pytorch, 2.0",
        "Pytorch, 2.0, CUDA",
        "Pytorch, 2.0, [CUDA_ADA, aimehub/x",
        "Pytorch, 2.0, [], aimehub/x",
        "Pytorch, 2.0, CUDA, aimehub/x\\",
        "Py torch, 2.0, CUDA, aimehub/x",
        "Pytorch, 2.0, CUDA, aimehub/x, more",
        "Pytorch, $(id), CUDA, aimehub/x",
    ],
)
def test_what_cannot_be_read_is_told_with_its_line_and_left_out(row: str) -> None:
    found = read_rows(f"\n{row}\n{NEWEST}\n")
    assert [each.key for each in found.frameworks] == ["pytorch-2.11.0-aime"]
    assert found.problems == ("line 2: expected framework, version, GPUs, image",)


def test_one_version_for_two_generations_of_gpus_has_two_keys() -> None:
    rows = "Pytorch, 1.7.0, CUDA_AMPERE, aimehub/a\nPytorch, 1.7.0, CUDA, aimehub/b\n"
    assert [each.key for each in read_rows(rows).frameworks] == [
        "pytorch-1.7.0",
        "pytorch-1.7.0-cuda",
    ]


def test_the_same_image_on_two_rows_is_one_framework() -> None:
    rows = "T, 2.4.0, CUDA_AMPERE, aimehub/t\nT, 2.4.0, CUDA, aimehub/t\n"
    (found,) = read_rows(rows).frameworks
    assert found.architectures == ("CUDA_AMPERE", "CUDA")


def test_rows_for_other_gpus_are_left_out() -> None:
    rows = f"{NEWEST}\nT, 1, CUDA_AMPERE, x/t\nT, 0.9, CUDA, x/t9\n"
    assert [each.key for each in read_rows(rows, "CUDA_ADA").frameworks] == [
        "pytorch-2.11.0-aime",
        "t-0.9",
    ]
