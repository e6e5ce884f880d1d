"""Access headers: the known answers of envelope.md §4.1 and §4.2, and nothing that could break out of a header."""

import base64
import hashlib
import hmac

import pytest

from adapters.platform.signing import SigningError, SigningSettings, csb_signature, csb_text, make_signer

TIF = SigningSettings(profile="tif", paasid="PAASEXAMPLE")
CSB = SigningSettings(profile="csb", access_key="AKEXAMPLE")
BAD_VALUES = ["a\r\nHost: elsewhere", "a\nb", "a\x00b", "a b", "a\tb", "测试", "a\x7f", "", "\x01"]


def one_id() -> str:
    return "abcdef0123456789"


def headers(raw: bytes) -> dict[str, str]:
    """Read header lines back as a strict peer does."""
    assert raw.endswith(b"\r\n") or raw == b""
    lines = raw.decode("ascii").split("\r\n")[:-1]
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs)
    return {name: value for name, value in pairs}


def test_plain_adds_nothing() -> None:
    assert make_signer(SigningSettings(), b"", one_id)("2207", 1_700_000_000.0) == b""


def test_tif_gives_the_published_answer() -> None:
    sign = make_signer(TIF, b"TOKENEXAMPLE0123", one_id)
    assert headers(sign("2207", 1_700_000_000.75)) == {
        "x-tif-paasid": "PAASEXAMPLE",
        "x-tif-timestamp": "1700000000",
        "x-tif-nonce": "abcdef0123456789",
        "x-tif-signature": "92e4cc74cfcc093aebe9db26e4bf1f7c5cf5822c9f3cddfef8fdc5404ce2fad2",
    }


def test_tif_signs_every_second_and_nonce_by_the_formula() -> None:
    ids = iter(["n-1", "n-2"])
    sign = make_signer(TIF, "密钥".encode(), lambda: next(ids))
    for nonce, second in (("n-1", 1_763_700_000), ("n-2", 1_763_700_001)):
        found = headers(sign("1101", second + 0.999))
        assert found["x-tif-nonce"] == nonce
        assert found["x-tif-signature"] == hashlib.sha256(f"{second}密钥{nonce}{second}".encode()).hexdigest()


def test_csb_gives_the_answer_of_the_synthetic_vector() -> None:
    sign = make_signer(CSB, b"SKEXAMPLE", one_id)
    assert headers(sign("1101", 1_700_000_000.0)) == {
        "_api_access_key": "AKEXAMPLE",
        "_api_version": "1.0.0",
        "_api_name": "1101",
        "_api_timestamp": "1700000000000",
        "_api_signature": "Wva+fdkmlU7V+4lg7raeUaC6/WQ=",
    }


def test_csb_gives_the_published_answer_of_the_generic_ping() -> None:
    text = csb_text(
        {
            "b": "2",
            "a": "1",
            "_api_version": "vcsb",
            "_api_timestamp": "1234567890123",
            "_api_name": "PING",
            "_api_access_key": "ak",
        }
    )
    assert text == "_api_access_key=ak&_api_name=PING&_api_timestamp=1234567890123&_api_version=vcsb&a=1&b=2"
    assert csb_signature(b"sk", text) == "FJZJ2EhieLec7iJQXe8XzuE9kL4="


def test_csb_signs_a_fixed_service_name_in_place_of_the_infno() -> None:
    fixed = SigningSettings(profile="csb", access_key="AK%s", api_name="hssServives", api_version="2.0")
    found = headers(make_signer(fixed, b"SK", one_id)("2304", 1_763_700_000.123))
    assert found["_api_name"] == "hssServives"
    assert len(found["_api_timestamp"]) == 13
    text = f"_api_access_key=AK%s&_api_name=hssServives&_api_timestamp={found['_api_timestamp']}&_api_version=2.0"
    assert found["_api_signature"] == base64.b64encode(hmac.new(b"SK", text.encode(), "sha1").digest()).decode()


def test_csb_signatures_of_different_moments_do_not_disturb_each_other() -> None:
    sign = make_signer(CSB, b"SKEXAMPLE", one_id)
    first = sign("1101", 1_700_000_000.0)
    assert sign("2207", 1_700_000_000.0) != first != sign("1101", 1_700_000_001.0)
    assert sign("1101", 1_700_000_000.0) == first


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b""])
def test_a_line_end_after_the_secret_does_not_count(line_end: bytes) -> None:
    assert b"Wva+fdkmlU7V+4lg7raeUaC6/WQ=" in make_signer(CSB, b"SKEXAMPLE" + line_end, one_id)("1101", 1_700_000_000.0)


@pytest.mark.parametrize("bad", BAD_VALUES)
def test_a_value_that_could_leave_its_line_is_refused(bad: str) -> None:
    for settings in (
        SigningSettings(profile="tif", paasid=bad),
        SigningSettings(profile="csb", access_key=bad),
        SigningSettings(profile="csb", access_key="AK", api_version=bad),
    ):
        with pytest.raises(SigningError):
            make_signer(settings, b"S", one_id)
    if bad:
        with pytest.raises(SigningError):
            make_signer(SigningSettings(profile="csb", access_key="AK", api_name=bad), b"S", one_id)
    with pytest.raises(SigningError):
        make_signer(CSB, b"S", one_id)(bad, 1.0)
    with pytest.raises(SigningError):
        make_signer(TIF, b"S", lambda: bad)("1101", 1.0)


@pytest.mark.parametrize("secret", [b"", b"\n", b"TOP\x00SECRET", b"TOP\nSECRET", b"TOP\xffSECRET"])
@pytest.mark.parametrize("settings", [TIF, CSB])
def test_a_bad_secret_is_refused_without_repeating_it(settings: SigningSettings, secret: bytes) -> None:
    with pytest.raises(SigningError) as refused:
        make_signer(settings, secret, one_id)
    assert "SECRET" not in str(refused.value)
