"""Every fixture is recognised, every fault in it found at its row, and nothing else."""

import sys
from pathlib import Path

import pytest

from speaq.text.doctor.findings import KINDS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from data_cases import fixtures
from data_doctor import examine

FIXTURES = fixtures()


def test_there_are_enough_and_every_kind_of_fault_is_among_them() -> None:
    assert len(FIXTURES) == len({fixture.name for fixture in FIXTURES}) >= 60
    assert {kind for fixture in FIXTURES for kind, _, _ in fixture.faults} == set(KINDS)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_fixture_is_recognised_and_its_faults_are_found(fixture, tmp_path) -> None:
    recognised, found = examine(fixture, tmp_path)
    assert recognised
    assert found == set(fixture.faults)
