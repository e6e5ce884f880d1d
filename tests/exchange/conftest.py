"""What the exchange's tests begin with."""

import pytest
from exchange_rig import Rig


@pytest.fixture
def rig() -> Rig:
    """An exchange whose doubts are asked about, and so stay doubts for three seconds."""
    return Rig()
