import json
from pathlib import Path

import pytest

from parley.app.engine_settings import EngineSettings, ToldEngines
from parley.app.settings import load_engines, load_settings
from parley.app.settings_tables import SettingsError
from parley.call_control import AudioCodec

MINIMAL = '[agents.reception]\nflow = "appointment"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "parley.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_minimal_file_is_enough_and_paths_count_from_its_folder(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, MINIMAL))
    assert settings.data_dir == tmp_path / "parley-data"
    assert settings.asterisk.application == "parley"
    assert settings.http.host == "127.0.0.1"


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_HTTP__PORT", "9000")
    monkeypatch.setenv("PARLEY_ASTERISK__PASSWORD", "from-environment")
    settings = load_settings(write(tmp_path, "[http]\nport = 8000\nhost = '127.0.0.2'\n" + MINIMAL))
    assert (settings.http.host, settings.http.port) == ("127.0.0.2", 9000)
    assert settings.asterisk.read_password() == "from-environment"


def test_password_never_shows_in_the_settings_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ASTERISK__PASSWORD", "s3cret")
    assert "s3cret" not in repr(load_settings(write(tmp_path, MINIMAL)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no agent: add a table"),
        ("[agents.a]\n", "agents.a.flow: missing"),
        ("[asterisk]\nurll = 'http://x'\n" + MINIMAL, r"asterisk.urll: unknown key; did you mean 'url'\?"),
        ("[asterisk]\nurl = 'ws://x'\n" + MINIMAL, "asterisk.url = 'ws://x': must start with http"),
        ("[asterisk]\npassword = 'x'\n" + MINIMAL, "secrets do not belong in this file"),
        ("[asterisk.ami]\npassword = 'x'\n" + MINIMAL, "use asterisk.ami.password_file or PARLEY_ASTERISK__AMI__PASSW"),
        ("[asterisk.ami]\nusername = 'a b'\n" + MINIMAL, "asterisk.ami.username = 'a b'"),
        ("[asterisk.ami]\nuser = 'x'\n" + MINIMAL, r"asterisk.ami.user: unknown key; did you mean 'username'\?"),
        ("[asterisk.audiosocket_app]\nenabled = true\n" + MINIMAL, "asterisk: audiosocket_app needs AMI: set username"),
        ("[asterisk.audiosocket_app]\npeers = ['host']\n" + MINIMAL, "'host' is not an IP address"),
        ("[agents.a]\nflow = 'x'\nvoises = {}\n", "agents.a.voises: unknown key; did you mean 'voices'"),
        ("[http]\nport = 70000\n" + MINIMAL, "http.port = 70000"),
        ("= nonsense", "not valid TOML"),
        ("[agents.a]\nflow = 'x'\nrecognizer = 'faster-whisper'\n", r"add \[engines.faster_whisper\] with model"),
        ("[agents.a]\nflow = 'x'\nrecognizer = 'openai-whisper'\n", r"add \[engines.openai_whisper\] with model"),
        ("[agents.a]\nflow = 'x'\nsynthesizer = 'piper'\n", r"add \[engines.piper\] with folder"),
        ("[engines.faster_whisper]\n" + MINIMAL, "engines.faster_whisper.model: missing"),
        ("[engines.faster_wisper]\n" + MINIMAL, r"unknown key; did you mean 'faster_whisper'\?"),
        (
            "[engines.faster_whisper]\nmodel = 'x'\nslot = 1\n" + MINIMAL,
            r"faster_whisper.slot: unknown key; did you mean 'slots'\?",
        ),
        ("[engines.faster_whisper]\nmodel = 'x'\nslots = -1\n" + MINIMAL, "engines.faster_whisper.slots = -1"),
        ("[engines.piper]\n" + MINIMAL, "engines.piper.folder: missing"),
        ("[engines.piper]\nfoldr = 'x'\n" + MINIMAL, r"engines.piper.foldr: unknown key; did you mean 'folder'\?"),
        ("[engines.pipr]\n" + MINIMAL, r"engines.pipr: unknown key; did you mean 'piper'\?"),
        ("[engines.openai]\nurl = 'ftp://x'\n" + MINIMAL, "engines.openai.url = 'ftp://x'"),
        ("[engines.openai]\napi_key = 'x'\n" + MINIMAL, "engines.openai.api_key: secrets do not belong in this file"),
        ("[media]\nfirst_port = 200\nlast_port = 100\n" + MINIMAL, "media: first_port = 200 must not be above"),
        ("[media]\nfirst_port = 2000\nlast_port = 2001\nengines = 3\n" + MINIMAL, "has 2 ports, 3 are needed"),
        ("[media]\nlast_port = 21019\nport_per_call = true\n" + MINIMAL, "has 20 ports, 21 are needed"),
        ("[media]\nhost = '0.0.0.0'\n" + MINIMAL, "media.host = '0.0.0.0': must be one address"),
        ("[media]\nhost = 'localhost'\n" + MINIMAL, "media.host = 'localhost': must be an IP address"),
        ("data_dir = 'my data'\n" + MINIMAL, "data_dir = 'my data': may hold letters"),
        ("[media]\ntransport = 'sip'\n" + MINIMAL, "media.transport = 'sip'"),
        ("[media]\ncodec = 'opus'\n" + MINIMAL, "media.codec = 'opus'"),
        (
            "[media]\ncodec = 'slin16'\n" + MINIMAL,
            "'slin16' does not travel over rtp in both directions; use one of auto",
        ),
        (
            "[media]\ntransport = 'audiosocket'\ncodec = 'ulaw'\n" + MINIMAL,
            "'ulaw' does not travel over audiosocket in both directions; use one of auto, slin, slin16",
        ),
        ("[media]\ntransport = 'websocket'\ncodec = 'g722'\n" + MINIMAL, "use one of auto, alaw, slin, slin16, ulaw"),
        ("[asterisk]\nca_file = 'ca.pem'\n" + MINIMAL, "ca_file is for an https:// address"),
    ],
)
def test_wrong_settings_name_the_key_and_the_fix(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_settings(write(tmp_path, text))


def test_missing_file_says_which_command_writes_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="parley init asterisk"):
        load_settings(tmp_path / "parley.toml")


@pytest.mark.parametrize(("content", "complaint"), [(None, "cannot be read"), ("", "is empty"), ("  hunter2\n", None)])
def test_password_file_is_read_or_explained(tmp_path: Path, content: str | None, complaint: str | None) -> None:
    if content is not None:
        (tmp_path / "ari.password").write_text(content, encoding="utf-8")
    settings = load_settings(write(tmp_path, "[asterisk]\npassword_file = 'ari.password'\n" + MINIMAL))
    if complaint is None:
        assert settings.asterisk.read_password() == "hunter2"
    else:
        with pytest.raises(SettingsError, match=complaint):
            settings.asterisk.read_password()


def test_ami_is_off_until_a_user_is_named_and_its_password_comes_from_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not load_settings(write(tmp_path, MINIMAL)).asterisk.ami.enabled
    named = "[asterisk.ami]\nusername = 'parley'\n"
    ami = load_settings(write(tmp_path, named + MINIMAL)).asterisk.ami
    assert ami.enabled
    with pytest.raises(SettingsError, match=r"asterisk\.ami\.password_file is not set.*manager\.conf user \[parley\]"):
        ami.read_password()
    (tmp_path / "ami.password").write_text("from-file\n", encoding="utf-8")
    file = write(tmp_path, named + "password_file = 'ami.password'\n" + MINIMAL)
    assert load_settings(file).asterisk.ami.read_password() == "from-file"
    monkeypatch.setenv("PARLEY_ASTERISK__AMI__PASSWORD", "from-environment")
    assert load_settings(file).asterisk.ami.read_password() == "from-environment"
    assert "from-environment" not in repr(load_settings(file))


def test_flow_given_as_a_path_counts_from_the_files_folder_and_a_name_stays_a_name(tmp_path: Path) -> None:
    text = "[agents.a]\nflow = 'flows/pizza'\n[agents.b]\nflow = 'pizza'\n"
    agents = load_settings(write(tmp_path, text)).agents
    assert agents["a"].flow == str(tmp_path / "flows" / "pizza")
    assert agents["b"].flow == "pizza"


@pytest.mark.parametrize(
    ("media", "narrow", "wide"),
    [
        ("", "ulaw", "ulaw"),
        ("transport = 'websocket'", "slin", "slin16"),
        ("transport = 'audiosocket'", "slin", "slin16"),
        ("transport = 'websocket'\ncodec = 'ulaw'", "ulaw", "ulaw"),
        ("codec = 'g722'", "g722", "g722"),
    ],
)
def test_codec_of_a_call_follows_transport_setting_and_caller(
    tmp_path: Path, media: str, narrow: str, wide: str
) -> None:
    settings = load_settings(write(tmp_path, f"[media]\n{media}\n" + MINIMAL)).media
    assert (settings.codec_for(wideband=False), settings.codec_for(wideband=True)) == (narrow, wide)
    assert set(settings.rates_hz) == {AudioCodec(narrow).rate_hz, AudioCodec(wide).rate_hz}


@pytest.mark.parametrize(
    ("more", "first", "second"),
    [
        ("[media]\ntransport = 'audiosocket'\n", "9092", "9093"),
        ("[media]\ntransport = 'audiosocket'\naudiosocket_standby_port = 9192\n", "9092", "9192"),
        ("[asterisk.ami]\nusername = 'parley'\n[asterisk.audiosocket_app]\nenabled = true\n", "9092", "9093"),
        ("[media]\naudiosocket_port = 65535\n", None, None),
    ],
)
def test_both_nodes_of_an_upgrade_listen_on_ports_of_their_own(
    tmp_path: Path, more: str, first: str | None, second: str | None
) -> None:
    settings = load_settings(write(tmp_path, more + MINIMAL))
    nodes = [settings.node_environment(name) for name in settings.application_names]
    assert [node["PARLEY_ASTERISK__APPLICATION"] for node in nodes] == ["parley", "parley-b"]
    assert [node["PARLEY_HTTP__PORT"] for node in nodes] == ["8089", "8090"]
    assert [node.get("PARLEY_MEDIA__AUDIOSOCKET_PORT") for node in nodes] == [first, second]


def test_transports_without_udp_ports_need_none(tmp_path: Path) -> None:
    text = "[media]\ntransport = 'websocket'\nfirst_port = 2000\nlast_port = 2001\n" + MINIMAL
    assert load_settings(write(tmp_path, text)).media.transport == "websocket"


@pytest.mark.parametrize(("text", "by_us"), [("", None), ("parley", True), ("asterisk", False)])
def test_transfers_are_carried_out_by_whom_the_site_chooses(tmp_path: Path, text: str, by_us: bool | None) -> None:
    chosen = f"[asterisk]\ntransfers = '{text}'\n" if text else ""
    assert load_settings(write(tmp_path, chosen + MINIMAL)).asterisk.transfers_by_us is by_us


def test_certificate_authority_is_read_from_the_settings_folder_or_explained(tmp_path: Path) -> None:
    text = "[asterisk]\nurl = 'https://pbx:8089/ari'\nca_file = 'ca.pem'\n" + MINIMAL
    asterisk = load_settings(write(tmp_path, text)).asterisk
    assert asterisk.ca_file == tmp_path / "ca.pem"
    with pytest.raises(SettingsError, match=r"asterisk\.ca_file = .* cannot be used.*PEM"):
        asterisk.read_tls()
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"asterisk\.ca_file"):
        asterisk.read_tls()
    assert load_settings(write(tmp_path, MINIMAL)).asterisk.read_tls() is None


@pytest.mark.parametrize(
    ("model", "place"), [("tiny", "parley-data/models/tiny"), ("./tiny", "tiny"), ("/opt/tiny", "/opt/tiny")]
)
def test_model_without_a_slash_is_one_of_parley_models_and_with_one_a_path(
    tmp_path: Path, model: str, place: str
) -> None:
    tables = "".join(f'[engines.{name}]\nmodel = "{model}"\n' for name in ("faster_whisper", "openai_whisper", "llama"))
    file = write(tmp_path, tables + MINIMAL)
    engines = load_settings(file).engines
    for engine in (engines.faster_whisper, engines.openai_whisper, engines.llama):
        assert engine is not None
        assert engine.model == str(tmp_path / place)
    assert load_engines(file) == engines
    assert EngineSettings.model_validate_json(engines.for_worker()) == engines


def test_worker_elsewhere_has_engines_of_its_own_and_needs_no_agents(tmp_path: Path) -> None:
    agent = '[worker]\naddress = "127.0.0.1:9000"\n[agents.a]\nflow = "x"\nrecognizer = "faster-whisper"\n'
    assert load_settings(write(tmp_path, agent)).engines.faster_whisper is None
    engines = load_engines(write(tmp_path, 'data_dir = "data"\n[engines.faster_whisper]\nmodel = "tiny"\n'))
    assert engines.faster_whisper is not None
    assert engines.faster_whisper.model == str(tmp_path / "data" / "models" / "tiny")


ENGINES = """
[engines.piper]
folder = "voices"
[engines.openai]
url = "http://127.0.0.1:8080/v1"
api_key_file = "llm.key"
"""


def test_paths_of_engines_count_from_the_files_folder_and_a_worker_alone_reads_the_same(tmp_path: Path) -> None:
    file = write(tmp_path, ENGINES + MINIMAL)
    engines = load_settings(file).engines
    assert engines.piper is not None
    assert engines.piper.folder == tmp_path / "voices"
    assert load_engines(file) == engines
    assert ToldEngines(engines=json.loads(engines.for_worker())).engines == engines


def test_key_of_a_language_model_reaches_the_worker_by_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ENGINES__OPENAI__API_KEY", "s3cret")
    engines = load_settings(write(tmp_path, ENGINES.replace("api_key_file", "# ") + MINIMAL)).engines
    assert "s3cret" not in engines.for_worker() + repr(engines)
    told = ToldEngines(engines=json.loads(engines.for_worker())).engines
    assert told.openai is not None
    assert told.openai.read_api_key() == "s3cret"


@pytest.mark.parametrize(
    ("content", "complaint"), [("k3y\n", None), (" \n", "llm.key' is empty"), (None, "llm.key' cannot be read")]
)
def test_key_file_is_read_or_explained(tmp_path: Path, content: str | None, complaint: str | None) -> None:
    if content is not None:
        (tmp_path / "llm.key").write_text(content)
    openai = load_engines(write(tmp_path, ENGINES)).openai
    assert openai is not None
    if complaint is None:
        assert openai.read_api_key() == "k3y"
    else:
        with pytest.raises(SettingsError, match=complaint):
            openai.read_api_key()
