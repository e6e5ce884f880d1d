"""Addresses of a configuration: what is read, and that `check` and the sockets can only be of one mind (X36)."""

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock

from adapters.transport.addresses import AddressError, LinkAddress, ListenAddress, read_link, read_listen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:8080:interface=127.0.0.1", (False, 8080, "127.0.0.1", None)),
        ("tls:8443:interface=0.0.0.0", (True, 8443, "0.0.0.0", None)),
        ("tcp:8080:interface=127.0.0.1:backlog=5", (False, 8080, "127.0.0.1", 5)),
        ("tcp:8080:backlog=5:interface=127.0.0.1", (False, 8080, "127.0.0.1", 5)),
        (r"tls:0:interface=\:\:1", (True, 0, "::1", None)),
    ],
)
def test_listeners(text: str, expected: tuple[bool, int, str, int | None]) -> None:
    found = read_listen(text)
    assert (found.secure, found.port, found.interface, found.backlog) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssl:8443:interface=127.0.0.1", "tls:"),
        ("unix:/tmp/x", "监听地址应为"),
        ("", "监听地址应为"),
        ("tcp", "端口"),
        ("tcp:http:interface=127.0.0.1", "端口"),
        ("tcp:65536:interface=127.0.0.1", "端口"),
        ("tcp:-1:interface=127.0.0.1", "端口"),
        ("tcp:８０:interface=127.0.0.1", "端口"),
        ("tcp:80", "缺少interface"),
        ("tcp:80:interface=", "缺少interface"),
        ("tcp:80:interface=localhost", "IP地址：localhost"),
        ("tcp:80:interface=127.0.0.256", "127.0.0.256"),
        ("tcp:80:interface=::1", "冒号写作"),
        ("tcp:80:interface=127.0.0.1:interface=10.0.0.1", "多余的部分：interface=10.0.0.1"),
        ("tcp:80:interface=127.0.0.1:what=1", "多余的部分：what=1"),
        ("tcp:80:interface=127.0.0.1:", "多余的部分"),
        ("tcp:80:interface=127.0.0.1:backlog=many", "backlog"),
        ("tcp:80:interface=127.0.0.1:backlog=0", "backlog"),
    ],
)
def test_other_listeners_are_refused(text: str, words: str) -> None:
    with pytest.raises(AddressError) as refused:
        read_listen(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["tcp:8080:interface=127.0.0.1:backlog=5", r"tcp:8080:interface=\:\:1:backlog=7"])
def test_twisted_reads_a_listener_the_same_way(text: str) -> None:
    reactor = MemoryReactorClock()
    serverFromString(reactor, text).listen(None)
    found = read_listen(text)
    assert reactor.tcpServers == [(found.port, None, found.backlog, found.interface)]


def listen(port: int, interface: str) -> ListenAddress:
    return ListenAddress(secure=False, port=port, interface=interface)


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ((80, "127.0.0.1"), (80, "127.0.0.1"), True),
        ((80, "127.0.0.1"), (81, "127.0.0.1"), False),
        ((80, "127.0.0.1"), (80, "127.0.0.2"), False),
        ((80, "127.0.0.1"), (80, "0.0.0.0"), True),
        ((80, "127.0.0.1"), (80, "::"), True),
        ((80, "::1"), (80, "::"), True),
        ((80, "::1"), (80, "0.0.0.0"), False),
        ((80, "::1"), (80, "0:0::1"), True),
        ((0, "127.0.0.1"), (0, "127.0.0.1"), False),
    ],
)
def test_which_listeners_exclude_each_other(one: tuple[int, str], other: tuple[int, str], collide: bool) -> None:
    assert listen(*one).collides(listen(*other)) is collide
    assert listen(*other).collides(listen(*one)) is collide


@pytest.mark.parametrize(
    ("url", "host", "port", "header", "path"),
    [
        ("http://10.1.2.3", "10.1.2.3", 80, b"10.1.2.3", b"/"),
        ("https://10.1.2.3/x/y", "10.1.2.3", 443, b"10.1.2.3", b"/x/y"),
        ("HTTP://Platform.example:81/x", "platform.example", 81, b"Platform.example:81", b"/x"),
        ("http://[::1]/x", "::1", 80, b"[::1]", b"/x"),
        ("https://[2001:db8::1]:8443/x", "2001:db8::1", 8443, b"[2001:db8::1]:8443", b"/x"),
        ("http://fsi_test/call", "fsi_test", 80, b"fsi_test", b"/call"),
    ],
)
def test_links(url: str, host: str, port: int, header: bytes, path: bytes) -> None:
    secure = url.startswith("https")
    assert read_link(url) == LinkAddress(secure=secure, host=host, port=port, header=header, path=path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "不能为空"),
        ("http://[x/", "方括号"),
        ("http://[x]/", "方括号|不正确"),
        ("http://[127.0.0.1]/", "方括号|不正确"),
        ("http://[fe80::1%25eth0]/", "方括号|不正确"),
        ("http://h:99999/", "端口"),
        ("http://h:0/", "端口"),
        ("http://h:/", "端口"),
        ("http://h:+80/", "端口"),
        ("http://[::1]:x/", "端口"),
        ("http://[::1]80/", "端口|方括号"),
        ("http://h/x?a=1", "查询参数"),
        ("http://h/x?", "查询参数"),
        ("http://h/x#y", "片段"),
        ("http://user:secret@h/x", "用户名"),
        ("http://h/a b", "空白"),
        ("http://h/\r\nX: y", "空白"),
        ("http://平台.example/x", "非ASCII"),
        ("http://10.0.0.256/x", "10.0.0.256"),
        ("http://a..b/x", "a..b"),
        ("ftp://h/x", "http://"),
        ("h:9000", "http://"),
        ("http:///x", "http://"),
    ],
)
def test_other_links_are_refused(url: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        read_link(url)
    with pytest.raises(AddressError) as refused:
        read_link(url)
    assert "secret" not in str(refused.value)
