from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("summary.py")
REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_good" />
<testcase classname="tests.test_a" name="test_also_good"><system-out>x</system-out></testcase>
<testcase classname="tests.test_a" name="test_bad"><failure message="assert 0">trace</failure></testcase>
<testcase classname="" name="tests.test_b"><error message="collection failure">trace</error></testcase>
<testcase classname="tests.test_a" name="test_gpu">
<skipped type="pytest.skip" message="needs&#10;an accelerator">tests/test_a.py:1: needs</skipped>
</testcase>
<testcase classname="tests.test_a" name="test_torn"><skipped message="x" /><error message="teardown" /></testcase>
</testsuite></testsuites>
"""


def summary(report: Path) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, SCRIPT, report], capture_output=True, encoding="utf-8", check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_skipped_tests_come_first_and_the_count_last(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(REPORT, encoding="utf-8")
    assert summary(tmp_path / "junit.xml") == (
        0,
        ["skipped: tests.test_a::test_gpu: needs an accelerator", "tests: 2 passed, 3 failed, 1 skipped"],
    )


@pytest.mark.parametrize("text", [None, "", "<testsuites>", "<testsuites><testsuite /></testsuites>"])
def test_a_report_without_tests_is_a_failure(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "junit.xml").write_text(text, encoding="utf-8")
    assert summary(tmp_path / "junit.xml") == (1, ["tests: 0 passed, 1 failed, 0 skipped"])
