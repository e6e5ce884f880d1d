"""Reading listener and link addresses, and TLS files: everything wrong is said before a socket is opened (X36)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from adapters.transport.tls import (
    ClientTls,
    ClientTlsContext,
    ServerTls,
    ServerTlsContext,
    TlsConfigError,
    link_endpoint,
    listen_endpoint,
)

sys.path.insert(0, str(Path(__file__).parent.parent / "loopback"))
from transport_pki import FAR_AHEAD, Authority


def memory_reactor() -> Any:
    return MemoryReactorClock()  # type: ignore[no-untyped-call]


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.gateway = self.authority.issue("gateway")
        self.server = ServerTls(
            certificate_file=self.gateway.certificate_file,
            key_file=self.gateway.key_file,
            client_ca_file=self.authority.file,
            crl_file=self.authority.revoke(),
        )
        self.client = ClientTls(
            ca_file=self.authority.file,
            certificate_file=self.gateway.certificate_file,
            key_file=self.gateway.key_file,
        )

    def complaint(self, **changes: Any) -> TlsConfigError:
        with pytest.raises(TlsConfigError) as caught:
            ServerTlsContext(Clock(), attrs.evolve(self.server, **changes))
        return caught.value


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_good_files_make_a_context_that_knows_when_they_end(files: Files) -> None:
    context = ServerTlsContext(Clock(), files.server)
    assert context.not_after == FAR_AHEAD and context.crl_next_update == FAR_AHEAD
    assert ClientTlsContext(files.client, "localhost").not_after == FAR_AHEAD
    assert ClientTlsContext(ClientTls(ca_file=files.authority.file), "localhost").not_after is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o777])
def test_a_key_others_may_read_is_refused(files: Files, mode: int) -> None:
    Path(files.server.key_file).chmod(mode)
    complaint = files.complaint()
    assert (complaint.setting, complaint.path) == ("key_file", files.server.key_file)
    assert f"{mode:04o}" in complaint.problem and "0600" in str(complaint)
    with pytest.raises(TlsConfigError, match="0600"):
        ClientTlsContext(files.client, "localhost")


@pytest.mark.parametrize("setting", ["certificate_file", "key_file", "client_ca_file", "crl_file"])
def test_missing_and_broken_files_are_located(files: Files, setting: str) -> None:
    complaint = files.complaint(**{setting: str(files.folder / "absent.pem")})
    assert complaint.setting == setting and "absent.pem" in str(complaint) and "无法读取" in complaint.problem
    broken = files.folder / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n")
    broken.chmod(0o600)
    complaint = files.complaint(**{setting: str(broken)})
    assert complaint.setting == setting and "PEM" in complaint.problem


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    other = files.authority.issue("other")
    assert files.complaint(key_file=other.key_file).problem == "私钥与证书不匹配"


def test_a_key_that_openssl_does_not_take_is_a_configuration_error(files: Files) -> None:
    """Found at start and at reload, not as a crash or at the first connection."""
    weak = files.authority.issue("weak", key=rsa.generate_private_key(65537, 1024))
    complaint = files.complaint(certificate_file=weak.certificate_file, key_file=weak.key_file)
    assert (complaint.setting, complaint.path) == ("certificate_file", weak.certificate_file)
    assert "key too small" in complaint.problem
    context = ClientTlsContext(files.client, "localhost")
    for own, other in ((files.client.certificate_file, weak.certificate_file), (files.client.key_file, weak.key_file)):
        shutil.copy(other, own)
    with pytest.raises(TlsConfigError, match="key too small"):
        context.reload()
    assert context.not_after == FAR_AHEAD


def test_a_certificate_of_an_algorithm_tls_lacks_is_a_configuration_error(files: Files) -> None:
    key, certificate = files.folder / "sm2.key", files.folder / "sm2.pem"
    for command in (
        ["openssl", "genpkey", "-algorithm", "SM2", "-out", str(key)],
        ["openssl", "req", "-new", "-x509", "-key", str(key), "-sm3", "-subj", "/CN=x", "-out", str(certificate)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
    complaint = files.complaint(certificate_file=str(certificate), key_file=str(key))
    assert "算法不受支持" in complaint.problem


def test_the_mode_that_counts_is_that_of_the_file_that_was_read(files: Files) -> None:
    """The name may be gone, or mean another file, by the time the content has been read."""
    raw = Path(files.server.key_file).read_bytes()
    pipe = files.folder / "pipe"
    os.mkfifo(pipe, 0o600)

    def write() -> None:
        with pipe.open("wb") as file:
            pipe.unlink()
            file.write(raw)

    writer = threading.Thread(target=write)
    writer.start()
    context = ServerTlsContext(Clock(), attrs.evolve(files.server, key_file=str(pipe)))
    writer.join()
    assert context.not_after == FAR_AHEAD


def test_what_the_system_refuses_is_said_in_chinese(files: Files) -> None:
    assert "是目录" in files.complaint(certificate_file=str(files.folder)).problem
    assert "不存在" in files.complaint(key_file=str(files.folder / "absent")).problem
    assert "路径" in files.complaint(key_file=files.server.key_file + "/x").problem


def test_a_revocation_list_must_come_from_the_client_ca(files: Files) -> None:
    (files.folder / "other").mkdir()
    for title in ("ca", "other ca"):
        crl = Authority(files.folder / "other", title).revoke()
        assert files.complaint(crl_file=crl).setting == "crl_file"
    assert files.complaint(client_ca_file="").setting == "crl_file"


def test_versions_are_1_2_and_1_3(files: Files) -> None:
    assert files.complaint(min_version="1.1").setting == "min_version"
    ServerTlsContext(Clock(), attrs.evolve(files.server, min_version="1.3"))


def test_a_client_certificate_needs_its_key(files: Files) -> None:
    with pytest.raises(TlsConfigError, match="同时配置"):
        ClientTlsContext(attrs.evolve(files.client, key_file=""), "localhost")


def test_a_broken_reload_reports_and_keeps_what_was_in_force(files: Files) -> None:
    context = ServerTlsContext(Clock(), files.server)
    assert context.reload() is False
    kept = Path(files.server.certificate_file).read_bytes()
    Path(files.server.certificate_file).write_text("")
    with pytest.raises(TlsConfigError, match="certificate_file"):
        context.reload()
    assert context.not_after == FAR_AHEAD
    Path(files.server.certificate_file).write_bytes(kept)
    assert context.reload() is False
    renewed = files.authority.issue("renewed")
    shutil.copy(renewed.certificate_file, files.server.certificate_file)
    shutil.copy(renewed.key_file, files.server.key_file)
    assert context.reload() is True


# -- addresses --------------------------------------------------------------------------------------------------------


def test_a_listener_opens_the_address_it_names() -> None:
    reactor = memory_reactor()
    endpoint = listen_endpoint(reactor, "tcp:8080:interface=127.0.0.1")
    assert endpoint.interface == "127.0.0.1" and endpoint.tls is None
    endpoint.listen(Factory())
    port, _, backlog, interface = reactor.tcpServers[0]
    assert (port, backlog, interface) == (8080, 512, "127.0.0.1")


def test_ipv6_and_backlog_are_understood() -> None:
    reactor = memory_reactor()
    endpoint = listen_endpoint(reactor, r"tcp:8080:interface=\:\:1:backlog=9")
    assert endpoint.interface == "::1"
    endpoint.listen(Factory())
    assert reactor.tcpServers[0][2:] == (9, "::1")


def test_a_tls_listener_is_tcp_with_the_context_around_the_factory(files: Files) -> None:
    reactor = memory_reactor()
    context = ServerTlsContext(Clock(), files.server)
    inner = Factory()
    endpoint = listen_endpoint(reactor, "tls:8443:interface=10.0.0.1", context)
    assert endpoint.tls is context
    endpoint.listen(inner)
    port, factory, _, interface = reactor.tcpServers[0]
    assert (port, interface) == (8443, "10.0.0.1") and factory.wrappedFactory is inner
    assert listen_endpoint(reactor, "tcp:80:interface=127.0.0.1", context).tls is None


@pytest.mark.parametrize(
    ("description", "says"),
    [
        ("ssl:8443:interface=127.0.0.1:privateKey=k", "客户端证书"),
        ("tls:8443:interface=127.0.0.1", "[tls]"),
        ("tcp:8080", "interface"),
        ("tcp:8080:interface=", "interface"),
        ("tcp:8080:interface=localhost", "IP"),
        ("tcp:http:interface=127.0.0.1", "端口"),
        ("tcp:70000:interface=127.0.0.1", "端口"),
        ("tcp:80:interface=127.0.0.1:what=1", "监听地址"),
        ("unix:/tmp/x", "监听地址"),
        ("8080", "监听地址"),
        ("", "监听地址"),
    ],
)
def test_other_listeners_are_configuration_errors(description: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        listen_endpoint(memory_reactor(), description)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kind", "host", "path"),
    [
        ("http://127.0.0.1:9000/fsi/api/call", TCP4ClientEndpoint, b"127.0.0.1:9000", b"/fsi/api/call"),
        ("http://10.1.2.3", TCP4ClientEndpoint, b"10.1.2.3", b"/"),
        ("http://[::1]:9000/x", TCP6ClientEndpoint, b"[::1]:9000", b"/x"),
        ("http://platform.example:81/x", HostnameEndpoint, b"platform.example:81", b"/x"),
    ],
)
def test_links_without_tls(url: str, kind: type, host: bytes, path: bytes) -> None:
    make, header, target = link_endpoint(memory_reactor(), url)
    assert isinstance(make(), kind) and (header, target) == (host, path)


def test_a_link_connects_to_the_address_without_a_resolver_within_connect_s() -> None:
    reactor = memory_reactor()
    make, _, _ = link_endpoint(reactor, "http://10.1.2.3:9000/x", connect_s=4.0)
    make().connect(Factory()).addErrback(lambda _: None)
    host, port, _, timeout, _ = reactor.tcpClients[0]
    assert (host, port, timeout) == ("10.1.2.3", 9000, 4.0)


def test_https_links_go_to_443_under_the_context(files: Files) -> None:
    reactor = memory_reactor()
    context = ClientTlsContext(files.client, "10.1.2.3")
    make, header, _ = link_endpoint(reactor, "https://10.1.2.3/x", context)
    make().connect(Factory()).addErrback(lambda _: None)
    assert reactor.tcpClients[0][:2] == ("10.1.2.3", 443) and header == b"10.1.2.3"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://10.1.2.3/x", "ca_file"),
        ("ftp://10.1.2.3/x", "http://或https://"),
        ("10.1.2.3:9000", "http://或https://"),
        ("http:///x", "http://或https://"),
        ("http://user:secret@10.1.2.3/x", "用户名"),
        ("http://10.1.2.3/x?y=1", "查询参数"),
        ("http://10.1.2.3/x#y", "片段"),
        ("http://10.1.2.3/a b", "空白"),
        ("http://10.1.2.3/x\r\nX: y", "空白"),
        ("http://平台.example/x", "非ASCII"),
        ("http://10.1.2.3:port/x", "Port|端口"),
        ("http://10.1.2.3:99999/x", "Port|端口"),
        ("", "平台地址"),
    ],
)
def test_other_links_are_configuration_errors(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        link_endpoint(memory_reactor(), url)
    assert "secret" not in str(caught.value)
