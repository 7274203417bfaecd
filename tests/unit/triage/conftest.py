"""The shipped encoder, loaded once for all tests: it takes seconds."""

from pathlib import Path

import pytest

from triage.encoder import Encoder

DEFAULT = Path("models/default")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder.load(DEFAULT)
