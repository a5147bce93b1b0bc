"""The RT connector keeps the contract over real HTTP against a real RT 5, which nobody here wrote.

A call costs RT about 15 ms, and a list of a hundred users with their custom fields half a second, all of it
computing. So two tests write 41 contacts and not 201 here; the whole batch, and RT as others have set it up, are
for runs that are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from desk_real_rt import OddRealRtDesk, RealRtDesk
from office import Office

from connectors.rt import Rt
from syncd.testing import ConnectorContract

pytestmark = [pytest.mark.rt, pytest.mark.slow]

SMALL_BATCH = 20


class TestRealRt(ConnectorContract):
    connector = Rt

    @pytest.fixture
    def desk(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealRtDesk]:
        monkeypatch.setattr(Rt, "traits", replace(Rt.traits, batch=SMALL_BATCH))
        with RealRtDesk(office) as desk:
            yield desk


@pytest.mark.exhaustive
class TestOddRealRt(ConnectorContract):
    connector = Rt

    @pytest.fixture
    def desk(self, office: Office) -> Iterator[OddRealRtDesk]:
        with OddRealRtDesk(office) as desk:
            yield desk
