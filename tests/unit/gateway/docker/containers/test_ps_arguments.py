import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.containers.ps_arguments import check_ps_arguments


@pytest.mark.parametrize(
    "text",
    [
        *("", "aux", "-ef", "-eLf", "-o pid", "-o pid,user,args", "-opid,comm", "-eo pid,cmd"),
        *("o pid,args", "ax o pid,args", "-e -o pid,%cpu,args", "-o pid -o comm -o args"),
    ],
)
def test_columns_that_begin_with_pid_and_the_usual_forms_are_taken(text: str) -> None:
    check_ps_arguments(text)


@pytest.mark.parametrize(
    "text",
    [
        *("-o environ,pid", "-o args,pid", "-o user,pid", "-o s -o pid", "e", "auxe", "ef", "axe"),
        *("-C sleep -o pid", "-u bob -o pid,args", "-U bob", "-t pts/0", "-p 1 -o pid,args"),
        *("-q 1", "--sort pid", "--ppid 1", "-o pid,args e", "-o pid,args -C sleep", "-o pid -u 0"),
        *("-o pid=PID", "-o pid:9", "-o pid,args=PID", "--user bob -o pid", "-N", "-o pid bob"),
        *("-o pid -e", "-o pid,args\n-C", "-o pid" + ",pid" * 17, "-O pid", "f", "axf", "-aux"),
    ],
)
def test_what_may_show_or_choose_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not offered here"):
        check_ps_arguments(text)
