"""The plugin as another project has it: in a pytest of its own."""

import pytest

from shared.capture import read
from tests.helpers import docs_example
from tests.tap.messages import sales, write


@pytest.fixture
def jam(pytester: pytest.Pytester) -> None:
    """A capture of two sales beside the tests of a project that is otherwise empty."""
    write(pytester.path / "jam.mqtt.jsonl", sales("m1", 1), sales("m1", 2, t_ns=10**9))


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "shared.pytest_vendlink", "--strict-markers", *args)


def test_the_example_of_the_docs_works_when_copied(pytester: pytest.Pytester, jam: None) -> None:
    pytester.makepyfile(test_example=docs_example("class Alarm"))
    run(pytester).assert_outcomes(passed=2)


def test_a_failed_test_leaves_its_traffic_and_says_where(pytester: pytest.Pytester, jam: None) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.capture("jam.mqtt.jsonl")
        def test_fails(vend_broker, vend_recording, vend_capture):
            vend_broker.publish(vend_capture * 500)  # more than is heard at once
            vend_recording.expect("vend/v1/m1/receipt", within_s=0.0)

        @pytest.mark.capture("jam.mqtt.jsonl")
        def test_passes(vend_broker, vend_recording, vend_capture):
            vend_broker.publish(vend_capture)
            vend_recording.expect("vend/v1/m1/sale", seq=2)
    """)
    result = run(pytester, "--junitxml=reports/junit.xml")
    result.assert_outcomes(passed=1, failed=1)
    (kept,) = (pytester.path / "reports").glob("*.mqtt.jsonl")
    assert "test_fails" in kept.name
    assert [m.payload for m in read(kept)] == [sales("m1", 1).payload, sales("m1", 2).payload] * 500
    result.stdout.fnmatch_lines(["*0 times on vend/v1/m1/receipt, not 1*", "*vend recording*", f"*{kept}*"])
    again = run(pytester)
    again.assert_outcomes(passed=1, failed=1)
    assert len(list((pytester.path / "vend-recordings").iterdir())) == 1


def test_a_capture_is_found_beside_the_test_in_its_folder_or_by_the_setting(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nvend_captures = material")
    for number, folder in enumerate(("captures", "material"), start=1):
        pytester.mkdir(folder)
        write(pytester.path / folder / f"{folder}.mqtt.jsonl", *(sales("m1", n) for n in range(number)))
    pytester.makepyfile("""
        import pytest

        @pytest.mark.capture("captures.mqtt.jsonl")
        def test_one(vend_capture):
            assert len(vend_capture) == 1

        @pytest.mark.capture("material.mqtt.jsonl")
        def test_two(vend_capture, vend_replay):
            times = []
            vend_replay(lambda message, now: times.append(now.wall_ns))
            assert times == [m.at_ns for m in vend_capture]
            assert len(times) == 2

        @pytest.mark.capture("none.mqtt.jsonl")
        def test_missing(vend_capture):
            pass

        def test_unmarked(vend_capture):
            pass
    """)
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*there is no none.mqtt.jsonl in *material*", "*@pytest.mark.capture(*"])
