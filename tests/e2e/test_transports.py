"""Whole calls whose audio does not travel as RTP: keys, speech and barge-in over WebSocket and AudioSocket; TLS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.app.doctor import examine
from parley.app.findings import Level
from parley.app.settings import load_settings
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import open_call_centre
from tests.e2e.site import DIALPLAN, NUMBER_LINE, NUMBER_WORDS, READ_BACK, SETTINGS, agent_heard, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.parley_process import free_port
from tests.support.phone_call import PhoneCall
from tests.support.speech import caller_says, require_speech

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk, set up as the repository has it."""
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


@pytest.mark.parametrize(("transport", "codec"), [("websocket", "slin16"), ("audiosocket", "auto")])
async def test_caller_is_understood_by_speech_and_by_keys_and_nothing_is_left(
    pbx: Asterisk, tmp_path: Path, transport: str, codec: str
) -> None:
    require_speech()
    media = f'[media]\ntransport = "{transport}"\ncodec = "{codec}"\naudiosocket_port = {free_port()}\n'
    async with serving(pbx, tmp_path, SETTINGS + media) as node, open_call_centre(pbx) as centre:
        speaking, keying = await asyncio.gather(*(centre.caller.call(NUMBER_LINE) for _ in range(2)))
        await asyncio.gather(_speak(speaking), _key(keying))
        records = await node.ended_records(2)
        await pbx.wait_until_idle()
        assert node.complaints() == []
    spoken, keyed = sorted(records, key=lambda record: record.turns[-1].caller_keys)
    for call in (speaking, keying):
        assert agent_heard(call, READ_BACK).clearly
    for record in records:
        assert record.end is not None
        assert record.end.reason is EndReason.COMPLETED
        assert record.end.slots["number"] == "471508"
    assert spoken.turns[-1].caller_text == NUMBER_WORDS
    assert keyed.turns[-1].caller_keys == "471508", "every key counts once"


async def test_caller_whose_audio_is_cut_goes_to_a_person(pbx: Asterisk, tmp_path: Path) -> None:
    require_speech()
    media = '[media]\ntransport = "websocket"\n'
    async with serving(pbx, tmp_path, SETTINGS + media) as node, open_call_centre(pbx) as centre:
        caller = await centre.caller.call(NUMBER_LINE)
        await Ear(caller).speech_begins(caller.answered_at or 0.0)
        [media_leg] = [name for name in await pbx.channels() if name.startswith("WebSocket/")]
        await pbx.cli(f"channel request hangup {media_leg}")
        await centre.offered_and_answered()
        [record] = await node.ended_records()
    assert record.end is not None
    assert (record.end.reason, record.end.transferred_to) == (EndReason.PBX_LOST, "support")


async def _speak(call: PhoneCall) -> None:
    """Wait for the question and say the number."""
    await Ear(call).speech_ends(call.answered_at or 0.0)
    await call.say(caller_says(NUMBER_WORDS))
    await call.wait_ended(20.0)


async def _key(call: PhoneCall) -> None:
    """Interrupt the greeting with the number's keys."""
    await Ear(call).speech_begins(call.answered_at or 0.0)
    await call.press("471508")
    await call.wait_ended(20.0)


@pytest.mark.parametrize("transport", ["websocket", "audiosocket"])
async def test_doctor_tries_the_audio_over_the_transport_that_is_set(
    pbx: Asterisk, tmp_path: Path, transport: str
) -> None:
    found = [finding async for finding in examine(load_settings(settings_file(pbx, tmp_path, transport)))]
    assert [finding for finding in found if finding.level is Level.PROBLEM] == []
    [audio] = [finding.detail for finding in found if finding.check == "audio"]
    assert f"slin and slin16 round trip through Asterisk over {transport}" in audio
    await pbx.wait_until_idle()


@pytest.mark.parametrize(
    ("transport", "module"), [("websocket", "chan_websocket.so"), ("audiosocket", "chan_audiosocket.so")]
)
async def test_doctor_names_the_transports_module_that_is_missing(tmp_path: Path, transport: str, module: str) -> None:
    additions = {"modules.conf": f"noload = {module}"}
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as bare:
        settings = load_settings(settings_file(bare, tmp_path, transport))
        found = [finding async for finding in examine(settings)]
    missing, audio = [finding for finding in found if finding.level is Level.PROBLEM]
    assert f"{module} is not running" in missing.detail
    assert audio.check == "audio"
    assert module in audio.detail


async def test_behind_tls_ari_and_audio_need_the_named_authority_and_nothing_else(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    tls_port = free_port()
    additions = {
        "http.conf": f"tlsenable = yes\ntlsbindaddr = 127.0.0.1:{tls_port}\ntlscertfile = {certificate}\n"
        f"tlsprivatekey = {certificate}\n"
    }
    async with Asterisk(program=require_asterisk(), additions=additions, life_s=60) as pbx:
        file = settings_file(pbx, tmp_path, "websocket", f"https://127.0.0.1:{tls_port}/ari", certificate.name)
        found = [finding async for finding in examine(load_settings(file))]
        untrusting = settings_file(pbx, tmp_path, "websocket", f"https://127.0.0.1:{tls_port}/ari")
        [refused] = [finding async for finding in examine(load_settings(untrusting)) if finding.level is Level.PROBLEM]
    assert [finding for finding in found if finding.level is Level.PROBLEM] == []
    assert any("round trip through Asterisk over websocket" in finding.detail for finding in found)
    assert "certificate" in refused.detail


def settings_file(pbx: Asterisk, folder: Path, transport: str, url: str = "", ca_file: str = "") -> Path:
    (folder / "ari.password").write_text(pbx.ari_password, encoding="utf-8")
    file = folder / "parley.toml"
    authority = f'ca_file = "{ca_file}"' if ca_file else ""
    file.write_text(
        f"""
        [asterisk]
        url = "{url or pbx.ari_url + "/ari"}"
        password_file = "ari.password"
        {authority}
        [media]
        transport = "{transport}"
        audiosocket_port = {free_port()}
        [agents.reception]
        flow = "appointment"
        fallback_queue = "support"
        """,
        encoding="utf-8",
    )
    return file


def make_certificate(folder: Path) -> Path:
    """Make a certificate of a private authority for 127.0.0.1, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    key, certificate = folder / "asterisk.key", folder / "asterisk.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                str(key),
                "-out",
                str(certificate),
            ),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert ssl.create_default_context(cafile=certificate)
    return certificate
