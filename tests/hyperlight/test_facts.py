"""Facts about `hyperlight-sandbox`, used directly, that our engine works around or relies on.

If a release changes one of them, a test here fails: then the engine can become simpler, or must change.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.hyperlight

OBSERVE = Path(__file__).with_name("observe.py")
GUARD_S = 240
"""Time limit of one part. The longest takes 20 s in an emulated machine."""

Observed = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def observed() -> Observed:
    """Runs one part of `observe.py` and returns its findings."""

    @cache
    def observe(part: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, str(OBSERVE), part],
            stdout=subprocess.PIPE,
            check=True,
            timeout=GUARD_S,
            stdin=subprocess.DEVNULL,
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    return observe


@pytest.fixture(scope="module")
def found(observed: Observed) -> dict[str, str]:
    return observed("one_sandbox")


def test_a_line_runs_in_a_micro_vm(found: dict[str, str]) -> None:
    assert found["first run"] == "42\n||0"


@pytest.mark.parametrize("what", ["output", "argument"])
def test_a_message_to_the_host_of_16_000_bytes_arrives_and_one_of_16_400_aborts_the_guest(
    found: dict[str, str], what: str
) -> None:
    assert found[f"{what} of 16,000 bytes"].endswith("||0")
    assert found[f"{what} of 16,400 bytes"].startswith("RuntimeError: Execution failed: guest execution failed")


def test_an_answer_of_1_5_mb_arrives_at_the_default_size_and_one_of_4_mb_aborts_the_guest(
    found: dict[str, str],
) -> None:
    assert found["tool result of 1.5 MB"] == "1500000\n||0"
    assert found["tool result of 4 MB"].startswith("RuntimeError: Execution failed")


def test_values_returned_by_a_callback_change_on_their_way(found: dict[str, str]) -> None:
    """Only strings do not change, so the host channel uses no other type."""
    changed = [found[name].partition("|")[0].strip() for name in ("tuple", "bytes", "big", "nan")]
    assert changed == ["'(1, 2)'", "\"b'x'\"", "1.1805916207174113e+21", "None"]
    assert "maximum nesting depth (64) exceeded" in found["deep"]


def test_an_exception_in_a_callback_reaches_the_program_with_its_text(found: dict[str, str]) -> None:
    assert "RuntimeError: Tool 'give' failed: ValueError: from the host" in found["raise"]


def test_most_of_the_standard_library_is_missing_except_for_its_c_modules(found: dict[str, str]) -> None:
    assert "No module named 'datetime'" in found["datetime"]
    assert "No module named 'asyncio'" in found["asyncio"]
    assert found["_datetime"] == found["json"] == "there\n||0"


def test_the_monotonic_clock_stands_still_and_the_wall_clock_advances(found: dict[str, str]) -> None:
    moved = [float(seconds) for seconds in found["monotonic"].partition("\n")[0].split()]
    assert len(moved) == 2
    assert max(moved) <= 2e-9, "100,000 steps of a loop, and at most the next nanosecond"
    assert found["time"] == "True\n||0"


def test_an_uncaught_exception_comes_without_a_traceback(found: dict[str, str]) -> None:
    assert found["traceback"] == "|ZeroDivisionError: division by zero\n|1"


def test_the_last_expressions_value_is_dropped(found: dict[str, str]) -> None:
    assert found["value"] == "||0"


def test_there_are_no_threads(found: dict[str, str]) -> None:
    assert "can't start new thread" in found["thread"]


def test_recursion_in_python_is_an_exception(found: dict[str, str]) -> None:
    assert "RecursionError" in found["recursion"]


@pytest.mark.parametrize(
    "what",
    [
        "out of memory",
        "raise_signal",
        "deep parser",
        "deep json",
        "KeyboardInterrupt",
        "unpaired surrogate",
        "os._exit",
        "abort",
    ],
)
def test_these_programs_abort_the_guest(found: dict[str, str], what: str) -> None:
    assert found[what].startswith("RuntimeError: Execution failed: guest execution failed")


def test_running_out_of_memory_says_so(found: dict[str, str]) -> None:
    """The engine recognizes the reason by these words."""
    assert "Out of physical memory" in found["out of memory"]


def test_an_aborted_guest_is_poisoned_until_it_is_restored(found: dict[str, str]) -> None:
    assert "The sandbox was poisoned" in found["after an abort"]
    assert found["after restore"] == "1\n||0"


def test_globals_and_modules_persist_until_restore(found: dict[str, str]) -> None:
    assert found["globals of the last run"] == "1 2\n||0"
    assert found["globals after restore"] == "False False\n||0"


def test_restore_resets_the_random_module_but_not_the_systems_randomness(found: dict[str, str]) -> None:
    first, second = (found[f"random {n}"].partition("\n")[0].split() for n in (1, 2))
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_a_tool_cannot_be_registered_after_the_first_run(found: dict[str, str]) -> None:
    assert "Cannot register tools after sandbox has been initialized" in found["tool registered late"]


def test_run_holds_the_gil(found: dict[str, str]) -> None:
    """Another thread that wakes up every millisecond can count before and after the run, but hardly ever during it."""
    assert int(found["GIL"]) < 50


@pytest.mark.parametrize("what", ["sleep", "select", "poll"])
def test_waiting_panics_the_host_and_the_sandbox_cannot_be_restored(observed: Observed, what: str) -> None:
    found = observed(what)
    assert found["run"].endswith("|-1")
    assert "there is no reactor running" in found["run"]
    assert "Unable to lock resource" in found["next run"]
    assert found["restore"].startswith("RuntimeError: Restore failed")


def test_another_thread_gets_a_panic(observed: Observed) -> None:
    assert observed("threads")["run"].startswith("PanicException: ")


def test_memory_sizes_that_do_not_fit_together_are_refused_at_the_first_run(observed: Observed) -> None:
    found = observed("sizes")
    assert "is less than the minimum size allowed" in found["stack smaller than heap"]
    assert found["tiny heap"].startswith("RuntimeError: Failed to create sandbox")


def test_a_read_of_stdin_never_returns() -> None:
    """So the engine closes the guest's stdin. Here nothing follows the line that is printed before the read."""
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        subprocess.run(
            [sys.executable, str(OBSERVE), "hang"],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=15,
        )
    assert caught.value.stdout == b"reading\n"


def test_importing_the_guests_path_copies_the_image_into_the_cache(tmp_path: Path) -> None:
    """It copies 43 MB, so the engine finds the image without that import."""
    subprocess.run(
        [sys.executable, "-c", "import python_guest.path"],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    assert list(tmp_path.rglob("*.aot"))
