"""The configuration: all that is wrong with it is said at once, in Chinese, with its path (contract §2, §3; X36)."""

from pathlib import Path
from typing import Any

import pytest

from gateway.app.config import Config, ConfigError, read_config
from gateway.app.facts import link_region, read_files
from gateway.core.catalogue import CatalogueError

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


LINK = 'url = "http://127.0.0.1:9000/fsi/api/call"'
STATUS = '\nstatus = {infno = "9X01", ask = {a = "msgid"}, state = "s", booked = ["1"], absent = ["0"]}'


def read(folder: Path, text: str) -> Config:
    path = folder / "gateway.toml"
    path.write_text(text, "utf-8")
    return read_config(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(folder, text)
    return refused.value.problems


def test_what_a_windows_editor_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "liangding.toml"
    path.write_text(GOOD.replace("\n", "\r\n"), "utf-8-sig", newline="")
    assert read_config(path).node.name == read(tmp_path, GOOD).node.name


def test_a_small_configuration_is_whole(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.institution_endpoints == ["tcp:8443:interface=127.0.0.1"]
    assert found.journal == tmp_path / "data/journal.sqlite"
    assert found.key_file == tmp_path / "data/answers.key"
    assert found.room("codes") == tmp_path / "data/journal-codes.sqlite"
    link = found.platform["national"]
    assert (link.timeout_s, link.late_window_s, link.region, link.tls) == (20.0, 3.0, "national", None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "要写出status"),
        (STATUS.replace("9X01", "2207"), "2207不是查询类交易"),
        (STATUS, ""),
        (STATUS.replace("9X01", "5203"), ""),
    ],
)
def test_asking_a_provinces_own_way_needs_its_words(tmp_path: Path, more: str, words: str) -> None:
    """Q3 of the reversal specification §4.1; what is asked must be a query."""
    link = read(tmp_path, changed((LINK, LINK + '\nresolve = "Q3"' + more))).platform["national"]
    if words:
        with pytest.raises(CatalogueError, match=words):
            link_region(read_files(), link)
    else:
        assert link_region(read_files(), link).id == "national"


def changed(*pairs: tuple[str, str]) -> str:
    text = GOOD
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


LISTEN = "tcp:8443:interface=127.0.0.1"
WHO = 'allow_from = ["127.0.0.1/32"]'


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ('name = "n1"', "name = 1", "$.node.name", "应为文本，现在是整数"),
        ('name = "n1"', 'name = ""', "$.node.name", "不能为空"),
        ('name = "n1"', "", "$.node.name", "缺少配置项"),
        ('name = "n1"', 'name = "n1"\nzzz = 1', "$.node.zzz", "未知的配置项"),
        ('[node]\nname = "n1"\ndata_dir = "data"', "node = 3", "$.node", "应为表"),
        ("sqlite:data/journal.sqlite", "postgresql://x", "$.store.url", "sqlite"),
        ('url = "sqlite:data/journal.sqlite"', 'url = "sqlite:x"\narchive_days = 31', "$.store.archive_days", "0到30"),
        ('url = "sqlite:data/journal.sqlite"', 'url = "sqlite:x"\ncipher = "des"', "$.store.cipher", "取值 'des'"),
        ("tcp:8443:interface=127.0.0.1", "ssl:8443:interface=127.0.0.1", "$.listen.institutions[0]", "tls:"),
        ("tcp:8443:interface=127.0.0.1", "unix:/x", "$.listen.institutions[0]", "应为tcp"),
        ("tcp:8443:interface=127.0.0.1", "tcp:8443", "$.listen.institutions[0]", "缺少interface"),
        ("tcp:8443:interface=127.0.0.1", "tcp:99999:interface=127.0.0.1", "$.listen.institutions[0]", "端口"),
        ("tcp:8443:interface=127.0.0.1", "tcp:8443:interface=0.0.0.0", "$.listen.institutions[0]", "本机回环"),
        ("tcp:8443:interface=127.0.0.1", "tls:8443:interface=0.0.0.0", "$.listen.institutions[0]", "需要[tls]"),
        (LISTEN, "tcp:8443:interface=127.0.0.1:backlog=0", "$.listen.institutions[0]", "backlog"),
        (LINK, 'url = "http://h:99999/"', "$.platform.national.url", "端口"),
        (LINK, 'url = "http://h/x?a=1"', "$.platform.national.url", "查询参数"),
        (LINK, 'url = "http://[x/"', "$.platform.national.url", "方括号"),
        (LINK, LINK + '\ntls = {ca_file = "gone"}', "$.platform.national.tls.ca_file", "文件不存在：gone"),
        (LINK, LINK + '\ntls = {ca_file = ""}', "$.platform.national.tls.ca_file", "不能为空"),
        (LINK, LINK + '\ntls = {ca_file = "gateway.toml", key_file = "gateway.toml"}',
         "$.platform.national.tls", "同时配置"),
        (LINK, LINK + '\ntls = {ca_file = "gateway.toml", key_file = "gateway.toml", certificate_file = "gone"}',
         "$.platform.national.tls.certificate_file", "文件不存在：gone"),
        (LINK, 'url = "ftp://x"', "$.platform.national.url", "http://"),
        (LINK, 'url = "https://x/"', "$.platform.national.tls", "ca_file"),
        (LINK, LINK + '\nregion = "atlantis"', "$.platform.national.region", "atlantis"),
        (LINK, LINK + "\ntimeout_s = 0", "$.platform.national.timeout_s", "大于0"),
        (LINK, LINK + "\nconnections_max = 0", "$.platform.national.connections_max", "大于0"),
        (LINK, LINK + "\nbreaker = {failures = 0}", "$.platform.national.breaker", "至少为1"),
        (LINK, LINK + '\nresolve = "Q9"', "$.platform.national.resolve", "Q1、Q2、Q3或Q4"),
        (LINK, LINK + STATUS.replace('"msgid"', '"setl_id"'), "$.platform.national.status.ask.a", "没有“setl_id”"),
        (LINK, LINK + STATUS.replace('"msgid"', '"psn_no"'), "$.platform.national.status.ask", "msgid"),
        (LINK, LINK + STATUS.replace('["0"]', '["1"]'), "$.platform.national.status.absent", "也在booked中"),
        (LINK, LINK + STATUS.replace('["1"]', "[]"), "$.platform.national.status.booked", "不能为空"),
        (LINK, LINK + STATUS.replace('"9X01"', '"9/01"'), "$.platform.national.status.infno", "交易编号"),
        (LINK, LINK + "\nlate_window_s = -1", "$.platform.national.late_window_s", "不能为负"),
        (LINK, LINK + "\nreversal_schedule_s = []", "$.platform.national.reversal_schedule_s", "不能为空"),
        (LINK, LINK + '\nsigning = {profile = "tif"}', "$.platform.national.signing", "paasid"),
        (LINK, LINK + '\nsigning = {profile = "csb"}', "$.platform.national.signing", "access_key"),
        (LINK, LINK + '\nsigning = {secret_file = "gone"}', "$.platform.national.signing.secret_file", "不存在：gone"),
        (WHO, "", "$.institution[0]", "至少配置一项"),
        (WHO, 'allow_from = ["here"]', "$.institution[0].allow_from", "不是网段：here"),
        (WHO, 'certificate_sha256 = ["ab"]', "$.institution[0].certificate_sha256", "64位"),
        (WHO, WHO + '\nregime = "both"', "$.institution[0].regime", "both"),
        (WHO, WHO + '\nareas = ["5108"]', "$.institution[0]", "沿用原编码"),
        (WHO, WHO + '\nregime = "local"\nareas = ["广元"]', "$.institution[0].areas", "行政区划"),
        (WHO, WHO + '\nregime = "local"\nremote_link = "x"', "$.institution[0].remote_link", "没有名为x的平台链路"),
        (WHO, WHO + '\ndialect = "x"', "$.institution[0].dialect", "x"),
        (WHO, WHO + "\nrate_per_s = 0", "$.institution[0]", "大于0"),
        ('link = "national"', 'link = "none"', "$.institution[0].link", "没有名为none的平台链路"),
        ('"H51080200001"', '""', "$.institution[0].fixmedins_code", "不能为空"),
    ],
)  # fmt: skip
def test_one_fault_is_one_line_with_its_path(tmp_path: Path, old: str, new: str, path: str, words: str) -> None:
    (found,) = faults(tmp_path, changed((old, new)))
    assert found.startswith(f"{path}: ")
    assert words in found


def test_unknown_keys_are_told_in_the_same_order_every_time(tmp_path: Path) -> None:
    names = ["zeta", "alpha", "mu", "beta", "omega", "eta", "theta", "pi"]
    found = faults(tmp_path, changed(('name = "n1"', 'name = "n1"\n' + "\n".join(f"{name} = 1" for name in names))))
    assert found == [f"$.node.{name}: 未知的配置项" for name in sorted(names)]


def paths(found: list[str]) -> set[str]:
    return {line.partition(": ")[0] for line in found}


def test_a_wrong_value_hides_nothing_that_is_wrong_elsewhere(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        changed(
            ("tcp:8443:interface=127.0.0.1", "tcp:99999:interface=0.0.0.0"),
            ("sqlite:data/journal.sqlite", "postgresql://x"),
            (LINK, LINK + '\ninfcode = "x"\nconnections_max = 0\nbreaker = {failures = 0}\nresolve = "Q99"'),
            (WHO, 'allow_from = ["here"]\nregime = "both"\nzzz = 1'),
            ('link = "national"', 'link = "none"'),
        ),
    )
    assert len(found) == len(set(found))
    assert paths(found) == {
        "$.listen.institutions[0]",
        "$.store.url",
        "$.platform.national.infcode",
        "$.platform.national.connections_max",
        "$.platform.national.breaker",
        "$.platform.national.resolve",
        "$.institution[0].allow_from",
        "$.institution[0].regime",
        "$.institution[0].zzz",
        "$.institution[0].link",
    }


@pytest.mark.parametrize(
    ("institutions", "admin", "expected"),
    [
        (["tcp:80:interface=127.0.0.1", "tcp:81:interface=127.0.0.1"], "tcp:82:interface=127.0.0.1", ""),
        (["tcp:80:interface=127.0.0.1:backlog=5"], "tcp:80:interface=127.0.0.2", ""),
        (["tcp:80:interface=127.0.0.1", "tcp:80:interface=127.0.0.1"], "", "$.listen.institutions[1]"),
        (["tcp:80:interface=127.0.0.1"], "tcp:80:interface=0.0.0.0", "$.listen.admin"),
    ],
)
def test_a_port_is_listened_on_once(tmp_path: Path, institutions: list[str], admin: str, expected: str) -> None:
    text = changed((f'institutions = "{LISTEN}"', f'institutions = {institutions}\nadmin = "{admin}"'))
    if expected:
        (found,) = faults(tmp_path, text)
        assert found == f"{expected}: 与$.listen.institutions[0]占用同一地址和端口"
    else:
        assert read(tmp_path, text).institution_endpoints == institutions


TLS = '[tls]\ncertificate_file = "gone.pem"\nkey_file = "gone.key"\n%s\n[store]'


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        # tls: is there, one of its values is wrong
        (
            [("[store]", TLS % 'min_version = "1.1"'), ("tcp:8443", "tls:8443")],
            {"$.tls.min_version", "$.tls.certificate_file", "$.tls.key_file"},
        ),
        ([("allow_from = [", "allow_from = 1 # [")], {"$.institution[0].allow_from"}),
        ([('link = "national"', "")], {"$.institution[0].link"}),
        ([("[platform.national]\n" + LINK, "[platform]")], {"$.platform"}),
        ([(LINK, "")], {"$.platform.national.url"}),
        ([(LINK, LINK + "\nsigning = {profile = 'tif', paasid = 1, secret_file = 'x'}")],
         {"$.platform.national.signing.paasid", "$.platform.national.signing.secret_file"}),
    ],
)  # fmt: skip
def test_a_wrong_value_brings_no_second_complaint_about_itself(
    tmp_path: Path, pairs: list[tuple[str, str]], expected: set[str]
) -> None:
    assert paths(faults(tmp_path, changed(*pairs))) == expected


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (LINK, LINK + "\ntimeout_s = inf", "$.platform.national.timeout_s"),
        (LINK, LINK + "\ntimeout_s = nan", "$.platform.national.timeout_s"),
        (LINK, LINK + "\nlate_window_s = nan", "$.platform.national.late_window_s"),
        (LINK, LINK + "\nbreaker = {open_s = +nan}", "$.platform.national.breaker.open_s"),
        (LINK, LINK + "\nreversal_schedule_s = [0, inf]", "$.platform.national.reversal_schedule_s[1]"),
        (WHO, WHO + "\nrate_per_s = nan", "$.institution[0].rate_per_s"),
    ],
)
def test_no_number_is_endless(tmp_path: Path, old: str, new: str, path: str) -> None:
    """TOML knows inf and nan; a deadline of the one never comes, and no comparison finds the other."""
    assert faults(tmp_path, changed((old, new))) == [f"{path}: 应为有限的数"]


def test_an_empty_configuration_names_every_table(tmp_path: Path) -> None:
    assert paths(faults(tmp_path, "")) == {"$.node", "$.listen", "$.store", "$.platform", "$.institution"}


@pytest.mark.parametrize("content", [b"[node", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_config(path)
    assert len(refused.value.problems) == 1
    assert ("无法读取" if content is None else "不是合法的TOML") in refused.value.problems[0]


def test_an_institution_stands_once(tmp_path: Path) -> None:
    twice: Any = GOOD + GOOD[GOOD.index("[[institution]]") :]
    assert paths(faults(tmp_path, twice)) == {"$.institution[1].fixmedins_code"}


def test_security_has_defaults_and_may_not_be_set_weaker(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.checkpoint_file == tmp_path / "data/audit-checkpoints.jsonl"
    assert found.signing_key_file == tmp_path / "data/signing-sm2.key"
    assert (found.security.password_days, found.security.failures_max, found.security.lock_s) == (90, 5, 1800.0)
    weak = """
[security]
checkpoint_file = "nowhere/outside.jsonl"
signing_key_file = "data/answers.key"
checkpoint_s = 3600.0
password_days = 365
password_history = 1
failures_max = 50
lock_s = 60.0
decide_h = 48.0
surprise = 1
"""
    assert [line.split(":")[0] for line in sorted(faults(tmp_path, GOOD + weak))] == [
        "$.security.checkpoint_file", "$.security.checkpoint_s", "$.security.decide_h", "$.security.failures_max",
        "$.security.lock_s", "$.security.password_days", "$.security.password_history", "$.security.signing_key_file",
        "$.security.signing_key_file", "$.security.surprise",
    ]  # fmt: skip
