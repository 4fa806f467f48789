"""The settings: where they come from, and every fault there can be."""

from __future__ import annotations

import contextlib
import json
import stat
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from ytwatcher.config import load, write_config
from ytwatcher.errors import ConfigError
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import keys, secrets, shown, variable
from ytwatcher.settings import Settings

TOKEN = "123456789:" + "CANARYtoken_-" * 3
KEY = "CANARYkey-0123456789"


def given(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "given.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def faults(config: Path | None, env: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(config, None, env)
    printed = "".join(traceback.format_exception(caught.value))
    assert "CANARY" not in printed
    return caught.value.faults


def bare(folder: Path, env: dict[str, str] | None = None, data: Path | None = None) -> Settings:
    with contextlib.chdir(folder):
        return load(None, data, {"HOME": str(folder), **(env or {})})


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    settings = bare(tmp_path)
    assert settings.file is None
    assert settings.warnings == ()
    assert settings.data.dir == tmp_path / ".local/share/ytwatcher"
    assert settings.youtube.api_key is None
    assert settings.poll.min_interval == timedelta(minutes=1)
    assert settings.storage.retention == timedelta(days=30)


def test_the_file_in_the_current_folder_comes_before_the_one_of_the_user(tmp_path: Path) -> None:
    own = tmp_path / ".config/ytwatcher/ytwatcher.toml"
    own.parent.mkdir(parents=True)
    own.write_text('log.level = "error"')
    assert bare(tmp_path).file == own
    (tmp_path / "ytwatcher.toml").write_text('log.level = "debug"')
    assert bare(tmp_path).log.level == "debug"


def test_the_xdg_folders_are_used_where_they_are_absolute(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    file = elsewhere / "ytwatcher/ytwatcher.toml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    settings = bare(tmp_path, {"XDG_CONFIG_HOME": str(elsewhere), "XDG_DATA_HOME": str(elsewhere)})
    assert (settings.file, settings.data.dir) == (file, elsewhere / "ytwatcher")
    assert bare(tmp_path, {"XDG_DATA_HOME": "relative"}).data.dir == tmp_path / ".local/share/ytwatcher"


def test_without_a_home_variable_the_system_is_asked(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        assert load(None, None, {"XDG_CONFIG_HOME": str(tmp_path)}).data.dir == Path.home() / ".local/share/ytwatcher"


def test_the_environment_comes_before_the_file_and_the_command_line_before_both(tmp_path: Path) -> None:
    file = given(tmp_path, 'data.dir = "a"\n[log]\nlevel = "error"\nformat = "json"\n')
    settings = load(file, None, {"YTWATCHER_LOG__LEVEL": "DEBUG", "YTWATCHER_LOG__FORMAT": ""})
    assert (settings.log.level, settings.log.format) == ("debug", "json")  # an empty variable counts as not set
    assert load(file, None, {"YTWATCHER_DATA__DIR": "/b"}).data.dir == Path("/b")
    assert load(file, Path("/c"), {"YTWATCHER_DATA__DIR": "/b"}).data.dir == Path("/c")


def test_a_folder_in_the_file_is_seen_from_the_file(tmp_path: Path) -> None:
    assert load(given(tmp_path, 'data.dir = "journal"'), None, {}).data.dir == tmp_path / "journal"
    assert load(given(tmp_path, 'data.dir = "/srv/journal"'), None, {}).data.dir == Path("/srv/journal")
    assert load(given(tmp_path, 'data.dir = "~/journal"'), None, {"HOME": "/home/me"}).data.dir == Path("/home/me/journal")


def test_a_value_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    settings = load(given(tmp_path, ""), None, {"YTWATCHER_TELEGRAM__BOT_TOKEN_FILE": str(secret)})
    assert settings.telegram.bot_token == Secret(TOKEN)


def test_values_are_brought_into_their_normal_form(tmp_path: Path) -> None:
    text = """
        [youtube]
        base_url = "http://127.0.0.1:8080/youtube/v3/"
        key_in = "Query"
        daily_units = 50_000
        [telegram]
        operator = "telegram:-1001234567890:7"
        language = "pt-BR"
        timezone = "Europe/Berlin"
        [poll]
        min_interval = "1m30s"
        reserve = 0
    """
    settings = load(given(tmp_path, text), None, {})
    assert settings.youtube.base_url == "http://127.0.0.1:8080/youtube/v3"
    assert (settings.youtube.key_in, settings.youtube.daily_units) == ("query", 50_000)
    assert (settings.telegram.operator, settings.telegram.language) == ("telegram:-1001234567890:7", "pt_BR")
    assert (settings.poll.min_interval, settings.poll.reserve) == (timedelta(seconds=90), 0.0)


FAULTY = {
    'data.dir = ""': "data.dir (FILE): “” is not a text",
    "data.dir = 3": "data.dir (FILE): “3” is not a text; write it in quotes",
    'youtube.api_key = ""': "youtube.api_key (FILE): is no text or an empty one; leave the key out",
    "youtube.api_key = 5": "youtube.api_key (FILE): is no text",
    f'youtube.api_key = "{KEY} {KEY}"': "youtube.api_key (FILE): is not an API key",
    'youtube.base_url = "youtube.com"': "youtube.base_url (FILE): is not a base URL; write https:// and a host",
    'youtube.base_url = "https://me:CANARY@example.org"': "youtube.base_url (FILE): is not a base URL",
    'telegram.base_url = "https://example.org/bot123:CANARY"': "telegram.base_url (FILE): is not a base URL",
    'data.dir = "a\\u0000b"': "data.dir (FILE): is not the name of a file: it holds a NUL",
    'youtube.base_url = "https://[example.org"': "youtube.base_url (FILE): is not a URL",
    'youtube.base_url = "https://example.org?key=CANARY"': "youtube.base_url (FILE): is not a base URL",
    'youtube.key_in = "heder"': "youtube.key_in (FILE): “heder” is not known; write 'header' or 'query'",
    "youtube.key_in = 1": "youtube.key_in (FILE): “1” is not known; write 'header' or 'query'",
    "youtube.daily_units = 0": "youtube.daily_units (FILE): “0” should be greater than or equal to 1",
    'youtube.daily_units = "many"': "youtube.daily_units (FILE): “many” should be a valid integer",
    "youtube.daily_stats_units = true": "youtube.daily_stats_units (FILE): “true” is not a number",
    f'telegram.bot_token = "{TOKEN[:20]}"': "telegram.bot_token (FILE): is not a bot token; @BotFather gives one",
    "telegram.base_url = 1": "telegram.base_url (FILE): “1” is not a text",
    'telegram.operator = "me"': "telegram.operator (FILE): “me” is not an address; write console, telegram:CHAT or telegram:CHAT:TOPIC",
    f'telegram.operator = "{TOKEN}"': "telegram.operator (FILE): “***” is not an address",
    'telegram.language = "klingon"': "telegram.language (FILE): “klingon” is not a language; write for example en, de or pt_BR",
    'telegram.timezone = "Europe/Berln"': "“Europe/Berln” is not a time zone; did you mean “Europe/Berlin”?",
    'telegram.timezone = "Europe"': "telegram.timezone (FILE): “Europe” is not a time zone",
    'telegram.timezone = "../x"': "“../x” is not a time zone; write for example UTC or Europe/Berlin",
    'poll.min_interval = "5"': "poll.min_interval (FILE): “5” is not a duration: write 90s, 15m, 6h, 30d or 1h30m",
    'poll.min_interval = "9s"': "poll.min_interval (FILE): 9s is too short; write at least 10s",
    'poll.max_interval = "30s"': "poll: min_interval (1m) is longer than max_interval (30s)",
    "poll.reserve = 0.6": "poll.reserve (FILE): “0.6” should be less than or equal to 0.5",
    "poll.reserve = nan": "poll.reserve (FILE): “nan” should be",
    'storage.retention = "off"': "storage.retention (FILE): “off” is not a duration",
    'storage.retention = "1h"': "storage.retention (FILE): 1h is too short; write at least 1d",
    'streaming.bootstrap = "kafka"': "streaming.bootstrap (FILE): is no list of brokers; write host:port, several with commas",
    'streaming.bootstrap = "a:1"': "streaming: bootstrap needs registry_url, the Schema Registry",
    'streaming.engine = "spark"': "streaming.engine (FILE): “spark” is not known; write 'embedded', 'flink' or 'ksqldb'",
    'streaming.engine = "ksqldb"': "needs bootstrap, the list of brokers; engine ksqldb needs ksqldb_url",
    'streaming.delivery = "connect"': "delivery connect needs an engine, flink or ksqldb: embedded rules write nothing",
    'streaming.prefix = "my-"': "streaming.prefix (FILE): “my-” cannot begin a topic's name; write a letter, then",
    "streaming.prefix = 1": "streaming.prefix (FILE): “1” cannot begin a topic's name",
    "streaming.partitions = 0": "streaming.partitions (FILE): “0” should be greater than or equal to 1",
    'streaming.retention = "31d"': "streaming.retention (FILE): 31d is too long; write at most 30d",
    'streaming.security_protocol = "sasl_ssl"': "streaming: security_protocol sasl_ssl with plain needs sasl_username and sasl_password",
    'streaming.oauth_extensions = "a"': "streaming.oauth_extensions (FILE): “a” are no extensions; write name=value",
    'streaming.registry_cluster = "lsrc-1"': "streaming: registry_cluster needs oauth_token_url and oauth_client_id and",
    'streaming.cert_file = "me.pem"': "streaming: cert_file needs key_file",
    'streaming.key_file = "me.pem"': "streaming: key_file needs cert_file",
    'streaming.sasl_mechanism = "magic"': "streaming.sasl_mechanism (FILE): “magic” is not known; write 'plain'",
    'streaming.registry_username = "me"': "streaming: registry_username needs registry_password",
    'streaming.connect_password = "CANARY"': "streaming: connect_password needs connect_username",
    'log.level = "loud"': "log.level (FILE): “loud” is not known; write 'debug', 'info', 'warning' or 'error'",
    'log.format = "xml"': "log.format (FILE): “xml” is not known; write 'console' or 'json'",
    "pol.reserve = 0": "pol: there is no such setting; did you mean “poll”?",
    "xyzzy = 0": "xyzzy: there is no such setting; docs/configuration.md lists all of them",
    'telegram.token = "CANARY"': "telegram.token (FILE): there is no such setting; did you mean “telegram.bot_token”?",
    'telegram = "CANARY"': "telegram: is a section, not a value; write [telegram] and its settings on the lines below",
    'data = "CANARY"': "data: is a section",
    "log.level = ": "FILE: is not TOML: Invalid value (at end of document)",
}


@pytest.mark.parametrize("text", FAULTY)
def test_a_fault_in_the_file_is_named_by_its_key(text: str, tmp_path: Path) -> None:
    file = given(tmp_path, text)
    (fault,) = faults(file, {"HOME": str(tmp_path)})
    assert FAULTY[text].replace("FILE", str(file)) in fault


def test_a_fault_in_the_environment_is_named_by_its_variable(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    found = faults(
        given(tmp_path, "poll = 1"),
        {
            "YTWATCHER_POLL__RESERVE": "much",
            "YTWATCHER_TELEGRAM__BOT_TOKEN": "CANARY",
            "YTWATCHER_TELEGRAM__TIME_ZONE": "UTC",
            "YTWATCHER_XYZZY": "1",
            "YTWATCHER_LOG__LEVEL_FILE": "/nowhere/level",
            "YTWATCHER_LOG__FORMAT_FILE": str(binary),
            "YTWATCHER_YOUTUBE__API_KEY": KEY,
            "YTWATCHER_YOUTUBE__API_KEY_FILE": "/nowhere/key",
            "OTHER_VARIABLE": "x",
        },
    )
    assert found == (
        f"YTWATCHER_LOG__FORMAT_FILE: {binary}: is not a text in UTF-8",
        "YTWATCHER_LOG__LEVEL_FILE: /nowhere/level: cannot be read: No such file or directory",
        "YTWATCHER_TELEGRAM__TIME_ZONE: there is no such setting; did you mean “YTWATCHER_TELEGRAM__TIMEZONE”?",
        "YTWATCHER_XYZZY: there is no such setting; docs/configuration.md lists all of them",
        "YTWATCHER_YOUTUBE__API_KEY_FILE: YTWATCHER_YOUTUBE__API_KEY is set too; leave one of them out",
        "telegram.bot_token (YTWATCHER_TELEGRAM__BOT_TOKEN): is not a bot token; "
        "@BotFather gives one as digits, a colon and at least 30 letters, digits, “_” or “-”",
        "poll: is a section, not a value; write [poll] and its settings on the lines below",
    )


def test_a_named_file_must_be_there_and_be_text(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml", {}) == (f"{tmp_path}/none.toml: cannot be read: No such file or directory",)
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    assert faults(tmp_path / "binary.toml", {}) == (f"{tmp_path}/binary.toml: is not a text in UTF-8",)


def test_a_secret_in_a_file_that_everybody_can_read_is_warned_of(tmp_path: Path) -> None:
    text = f'youtube.api_key = "{KEY}"\ntelegram.bot_token = "{TOKEN}"\n'
    (warning,) = load(given(tmp_path, text, 0o644), None, {}).warnings
    assert "holds youtube.api_key and telegram.bot_token" in warning and "chmod 600" in warning and "CANARY" not in warning
    assert load(given(tmp_path, text, 0o640), None, {}).warnings == ()
    assert load(given(tmp_path, "", 0o644), None, {"YTWATCHER_YOUTUBE__API_KEY": KEY}).warnings == ()


def test_a_secret_shows_nothing_of_itself(tmp_path: Path) -> None:
    settings = load(given(tmp_path, f'youtube.api_key = "{KEY}"\ntelegram.bot_token = "{TOKEN}"\n'), None, {})
    key = settings.youtube.api_key
    assert key is not None and key.reveal() == KEY
    views = [str(key), repr(key), f"{key}", str(settings), repr(settings), str(shown(settings))]
    views += [str(settings.youtube.model_dump()), settings.youtube.model_dump_json(), json.dumps(key, default=str)]
    assert not [view for view in views if "CANARY" in view]
    assert shown(settings)["youtube.api_key"] == "***"
    assert key == Secret(KEY) and key != KEY and len({key, Secret(KEY)}) == 1


def test_what_is_shown_reads_back(tmp_path: Path) -> None:
    settings = bare(tmp_path)
    env = {variable(key): text for key, text in shown(settings).items() if text != "not set"}
    assert set(shown(settings)) == set(keys())
    assert bare(tmp_path, env) == settings


FLINK = """
    [streaming]
    bootstrap = "one:9092, two:9092"
    registry_url = "http://127.0.0.1:8081/apis/ccompat/v7/"
    engine = "Flink"
    flink_url = "http://127.0.0.1:8082"
    flink_gateway_url = "http://127.0.0.1:8083"
    security_protocol = "SASL_SSL"
    sasl_mechanism = "SCRAM-SHA-512"
    sasl_username = "me"
    sasl_password = "CANARY-password"
"""


def test_the_streaming_way_is_set_up_in_one_section(tmp_path: Path) -> None:
    streaming = load(given(tmp_path, FLINK), None, {}).streaming
    assert (streaming.bootstrap, streaming.registry_url) == ("one:9092,two:9092", "http://127.0.0.1:8081/apis/ccompat/v7")
    assert (streaming.engine, streaming.delivery, streaming.prefix, streaming.partitions) == ("flink", "ours", "", 1)
    assert (streaming.security_protocol, streaming.sasl_mechanism) == ("sasl_ssl", "scram-sha-512")
    assert (streaming.retention, streaming.keep) == (timedelta(days=7), timedelta(days=1))


TOKENS = """
    [streaming]
    bootstrap = "one:9092"
    registry_url = "https://one"
    security_protocol = "sasl_ssl"
    sasl_mechanism = "OAUTHBEARER"
    oauth_token_url = "https://login.example/token"
    oauth_client_id = "me"
    oauth_client_secret = "CANARY-client"
    oauth_extensions = "logicalCluster=lkc-1,identityPoolId=pool-1"
    registry_cluster = "lsrc-1"
"""


def test_tokens_are_asked_for_with_a_client_and_its_secret(tmp_path: Path) -> None:
    settings = load(given(tmp_path, TOKENS, 0o600), None, {})
    assert settings.streaming.sasl_mechanism == "oauthbearer"
    assert list(secrets(settings)) == ["streaming.oauth_client_secret"]
    (fault,) = faults(given(tmp_path, TOKENS + '    registry_username = "a"\n    registry_password = "b"\n'), {"HOME": str(tmp_path)})
    assert "registry_cluster is for tokens, registry_username for a password; leave one of them out" in fault


def test_a_setting_that_is_a_file_may_come_from_the_environment(tmp_path: Path) -> None:
    env = {"YTWATCHER_STREAMING__CA_FILE": "/ca.pem", "YTWATCHER_STREAMING__CERT_FILE": "me.pem", "YTWATCHER_STREAMING__KEY_FILE": "me.pem"}
    streaming = load(given(tmp_path, FLINK), None, env).streaming
    assert (str(streaming.ca_file), str(streaming.cert_file), str(streaming.key_file)) == ("/ca.pem", "me.pem", "me.pem")


def test_every_secret_that_is_set_is_known(tmp_path: Path) -> None:
    settings = load(given(tmp_path, FLINK, 0o644), None, {"YTWATCHER_YOUTUBE__API_KEY": KEY})
    assert secrets(settings) == {"youtube.api_key": Secret(KEY), "streaming.sasl_password": Secret("CANARY-password")}
    assert "CANARY" not in str(settings) + str(shown(settings))
    assert ["holds streaming.sasl_password and can be read by everybody" in warning for warning in settings.warnings] == [True]


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = bare(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.poll.reserve = 0.1


def test_a_written_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "new/ytwatcher.toml"
    directory = str(tmp_path / 'a "quoted" \x7f name')
    write_config(path, {"telegram.bot_token": Secret(TOKEN), "data.dir": directory, "poll.reserve": 0.1, "telegram.operator": "telegram:5"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["ytwatcher.toml"]
    settings = load(path, None, {})
    assert settings.telegram.bot_token == Secret(TOKEN)
    assert (str(settings.data.dir), settings.poll.reserve, settings.telegram.operator) == (directory, 0.1, "telegram:5")


def test_a_file_is_overwritten_only_on_demand(tmp_path: Path) -> None:
    path = given(tmp_path, "# mine", 0o644)
    with pytest.raises(ConfigError, match="exists already, and nothing was written"):
        write_config(path, {"poll.reserve": 0.1})
    assert path.read_text() == "# mine"
    write_config(path, {"poll.reserve": 0.1}, overwrite=True)
    assert load(path, None, {}).poll.reserve == 0.1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_wrong_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_config(tmp_path / "x.toml", {"telegram.operator": "me", "telegram.bot_token": Secret("CANARY")})
    assert len(caught.value.faults) == 2 and "CANARY" not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_config(tmp_path / "file" / "x.toml", {"poll.reserve": 0.1})
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_config(tmp_path / "folder", {"poll.reserve": 0.1}, overwrite=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
