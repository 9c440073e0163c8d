import pytest

from ari_app.rest import AriRest
from tests.ari_app.ari_server import PASSWORD, USERNAME, AriServer


@pytest.mark.parametrize(
    ("version", "together"),
    [
        ("16.28.0~dfsg-0+deb11u4", False),
        ("20.19.2", False),
        ("20.20.0", True),
        ("21.99.0", False),
        ("22.9.1", False),
        ("22.10.1+dfsg+~cs6.17.60671434-1", True),
        ("23.3.0", False),
        ("24.0.0", True),
        ("GIT-master-1a2b3c", False),
        ("certified/22.10-cert1", True),
        ("certified/22.8-cert1", False),
    ],
)
async def test_version_tells_whether_variables_can_be_set_in_one_request(
    ari: AriServer, version: str, together: bool
) -> None:
    ari.version = version
    rest = AriRest(ari.url, USERNAME, PASSWORD)
    info = await rest.asterisk_info()
    await rest.aclose()
    assert (info.version, info.sets_variables_together) == (version, together)
