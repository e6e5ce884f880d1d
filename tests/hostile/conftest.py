"""One town for all hostile tests of a session: starting it costs more than most of them."""

from collections.abc import Iterator

import pytest
from hostile_rig import Rig
from hostile_slowness import STARTS, Dribble


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The running town."""
    one = Rig(tmp_path_factory.mktemp("hostile"))
    try:
        one.open()
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def no_broken_liars(rig: Rig) -> Iterator[None]:
    """Fail a test whose platform fell over instead of lying."""
    yield
    broke, rig.liar.broke = rig.liar.broke, []
    assert broke == []


@pytest.fixture(scope="session", autouse=True)
def dribbles(rig: Rig) -> Iterator[dict[str, Dribble]]:
    """Slow clients that run beside everything else."""
    found = {where: Dribble() for where in STARTS}
    for where, one in found.items():
        one.start(rig, where)
    yield found
    for one in found.values():
        one.end()
