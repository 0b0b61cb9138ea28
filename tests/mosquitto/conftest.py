from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.mosquitto.site import ProductionBroker, Site

A, B, CLOUD, SIGNER = "m-a", "m-b", "vend-cloud", "vend-signer"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    with closing(made.register):
        made.give(A, B, CLOUD, SIGNER)
        yield made


@pytest.fixture(scope="module")
def certificates(site: Site) -> Path:
    return site.folder


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[ProductionBroker]:
    with ProductionBroker(tmp_path_factory.mktemp("mosquitto"), site) as server:
        yield server
