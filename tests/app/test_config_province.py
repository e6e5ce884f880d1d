"""`[province]`: what is wrong with it is said at once, and a node without it has none (docs/province.md §4)."""

from pathlib import Path
from typing import Any

import pytest

from adapters.crypto.keyfile import KeyFileError
from gateway.app.config import Config, ConfigError, read_config
from gateway.app.province import make_province

GOOD = """
[node]
name = "n1"
data_dir = "data"
[listen]
institutions = "tcp:8443:interface=127.0.0.1"
[store]
url = "sqlite:data/journal.sqlite"
[platform.national]
url = "http://127.0.0.1:9000/fsi/api/call"
[[institution]]
fixmedins_code = "H51080200001"
name = "一院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
PROVINCE = """
[province]
url = "http://127.0.0.1:9100"
account = "510800"
secret_file = "province.secret"
"""


def read(folder: Path, text: str) -> Config:
    path = folder / "gateway.toml"
    path.write_text(text, "utf-8")
    secret = folder / "province.secret"
    if not secret.exists():
        secret.write_bytes(b"secret\n")
        secret.chmod(0o600)
    return read_config(path)


def made(config: Config) -> Any:
    return make_province(
        config, reactor=None, clock=None, helper=None, entropy=bytes, report=lambda cause: None,  # type: ignore[arg-type]
    )  # fmt: skip


def test_without_a_province_there_is_none(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.province.roles == ()
    assert made(config) is None


@pytest.mark.parametrize(
    ("role", "roles"), [("care", ("care",)), ("insured", ("insured",)), ("both", ("care", "insured"))]
)
def test_the_roles(tmp_path: Path, role: str, roles: tuple[str, ...]) -> None:
    assert read(tmp_path, f'{GOOD}{PROVINCE}role = "{role}"\n').province.roles == roles


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('url = "http://127.0.0.1:9100"', 'url = "ftp://x"', "url"),
        ('url = "http://127.0.0.1:9100"', 'url = "http://10.0.0.1:9100"', "url"),
        ('url = "http://127.0.0.1:9100"', 'url = "https://10.0.0.1:9100"', "tls"),
        ('url = "http://127.0.0.1:9100"', 'url = ""', "url"),
        ('"510800"', '""', "account"),
        ('"510800"', '"a\\nX-Other: b"', "account"),
        ('"province.secret"', '""', "secret_file"),
        ('"province.secret"', '"nowhere"', "secret_file"),
        ('account = "510800"', 'account = "510800"\ntimeout_s = 0', "timeout_s"),
        ('account = "510800"', 'account = "510800"\npage_rows = 0', "page_rows"),
        ('account = "510800"', 'account = "510800"\nrows_max = 0', "rows_max"),
        ('account = "510800"', 'account = "510800"\nreadings_max = 1', "readings_max"),
        ('account = "510800"', 'account = "510800"\nagain_s = -1', "again_s"),
        ('account = "510800"', 'account = "510800"\nrole = "other"', "role"),
        ('account = "510800"', 'account = "510800"\ntls = {ca_file = "nowhere", key_file = "k"}', "tls.ca_file"),
        ('account = "510800"', 'account = "510800"\nurls = "x"', "urls"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, path: str) -> None:
    assert PROVINCE.count(old) == 1
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, GOOD + PROVINCE.replace(old, new))
    assert f"$.province.{path}" in {line.partition(":")[0] for line in refused.value.problems}


def test_a_secret_that_others_may_read_or_that_is_empty_is_not_used(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD + PROVINCE)
    (tmp_path / "province.secret").chmod(0o644)
    with pytest.raises(KeyFileError, match="0600"):
        made(config)
    (tmp_path / "province.secret").write_bytes(b"\n")
    (tmp_path / "province.secret").chmod(0o600)
    with pytest.raises(KeyFileError, match="空"):
        made(config)
