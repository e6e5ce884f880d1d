"""The one TOML file -> one frozen `Config`; everything wrong with it is said at once, with its path (contract §3).

Numbers have a unit in their name, a default and a reason here. Secrets are paths to files. Relative paths are relative
to the configuration file (annex X3).
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import msgspec

from adapters.crypto.digest import sm3
from gateway.app.config_books import BooksConfig
from gateway.core.oswords import words_of
from gateway.core.tables import StatusTable


class ConfigError(Exception):
    """The configuration is wrong. The operator's fault; exit 2. problems: `path: sentence`, Chinese."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    data_dir: str


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    institutions: str | list[str]
    feedback: str = ""
    admin: str = ""


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    certificate_file: str
    key_file: str
    client_ca_file: str = ""
    crl_file: str = ""
    min_version: Literal["1.2", "1.3"] = "1.2"


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    key_file: str = ""
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = "aes-256-gcm"
    archive_days: int = 0


class Signing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    profile: Literal["plain", "tif", "csb"] = "plain"
    paasid: str = ""
    access_key: str = ""
    secret_file: str = ""
    api_name: str = ""
    api_version: str = "1.0.0"


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    failures: int = 20  # twenty failures in a row are not weather
    open_s: float = 5.0


class LinkTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    ca_file: str
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    region: str = "national"
    timeout_s: float = 20.0
    connections_max: int = 64
    signing: Signing | None = None
    late_window_s: float = 3.0
    quiesce_s: float | None = None
    reversal_schedule_s: list[float] = msgspec.field(default_factory=lambda: [0, 5, 15, 45, 120, 300, 600])
    reversal_attempts_alarm: int = 6
    resolve: str = ""
    status: StatusTable | None = None
    infcode: Literal["", "number", "text"] = ""
    breaker: BreakerConfig = BreakerConfig()
    tls: LinkTls | None = None
    extensions: list[str] = msgspec.field(default_factory=list)
    national_names: bool = True


class InstitutionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    fixmedins_code: str
    name: str
    dialect: str = "national"
    regime: Literal["national", "local"] = "national"
    link: str
    remote_link: str = ""
    areas: list[str] = msgspec.field(default_factory=list)
    allow_from: list[str] = msgspec.field(default_factory=list)
    certificate_sha256: list[str] = msgspec.field(default_factory=list)
    rate_per_s: float = 200.0
    connections_max: int = 64
    serve_catalogue: bool = False
    consent_key_file: str = ""  # by which it consents to frozen days (gateway.app.consent_keys); "" = by operators
    his_may_reverse_acked: bool = False
    reverse_unknown: bool = False
    forward_settled_reversal: bool = False


class CodesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the codes room does at the platform: uploads (3301, 3302), comparisons (1317), libraries (13xx, 9102)."""

    link: str = ""  # by which libraries come; empty = the first
    institution: str = ""  # in whose name; empty = the first of that link
    poll: str = ""  # time of day; empty = libraries are fetched only by command
    compare: str = ""  # time of day; empty = comparisons only by command
    jitter_s: float = 1800.0  # so that a province's gateways do not all knock at three o'clock sharp
    transactions: list[str] = msgspec.field(default_factory=list)  # empty = all the region knows
    versions_max: int = 50  # of one library in one run: a platform that goes on for ever is wrong
    no_newer: str = (
        "最新版本|(没有|暂无|无|未查询到).{0,6}(新|更新|可下载)"  # a refusal that means: you have everything
    )
    download_timeout_s: float = 600.0  # 100 MB on a slow line
    download_bytes_max: int = 268_435_456
    download_keep_days: int = 400
    round_days: int = 0  # until a catalogue round opened after a fetch is due; 0 = rounds are opened by hand
    inbox_s: float = 10.0  # how often the inbox is looked at; 0 = there is none
    upload_rows: int = 100  # of one 3301
    page_rows: int = 100  # of one page of 1317 and of catalogues that come by pages
    far_date: str = "2099-12-31"  # enddate of a mapping without end (mapping rules §10.7)
    doubt_ask_s: list[float] = msgspec.field(default_factory=lambda: [3.0, 30.0])  # 1317 after an answer that was lost
    patience_s: float = 600.0  # how long an order waits for a platform that cannot be reached
    unsettled_days: int = 60  # how far back unsettled fee lines forbid 3302; 0 = do not look
    # The envelope of an institution that has sent nothing through this gateway yet.
    mdtrtarea_admvs: str = ""
    recer_sys_code: str = ""
    infver: str = ""


class ListsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How settlement lists are checked, and how and when they are uploaded."""

    rules: str = ""  # a region's own rules (TOML); empty = the delivered ones as they are
    upload: str = ""  # time of day; empty = lists are sent only by command
    results: str = ""  # time of day; empty = quality control's results are fetched only by command
    jitter_s: float = 1800.0  # so that a province's gateways do not all knock at once
    due_days: int = 10  # after the discharge, else the settlement, a list should be there; regions differ
    med_types: list[str] = msgspec.field(  # which kinds of treatment need a list: stays, day surgery, chronic diseases
        default_factory=lambda: ["14", "21", "22", "23", "24", "28", "52"]
    )

    transaction: str = "4101"  # or 4101A, by the region's custom
    submit: bool = True  # 4102 0 -> 1 after the upload; until then the platform has only a draft
    overwrites: bool = False  # whether a list sent again takes the place of the one before
    doubt_ask_s: list[float] = msgspec.field(default_factory=lambda: [3.0, 30.0])  # 4103 after an answer that was lost
    patience_s: float = 600.0  # how long an order waits for a platform that cannot be reached


class SecurityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may act, and the trail of it (security requirements §4, §5)."""

    checkpoint_file: str = ""  # signed checkpoints of the trail; empty = in data_dir; better on another machine's disk
    signing_key_file: str = ""  # SM2; empty = in data_dir, made at first use
    checkpoint_entries: int = 1000
    checkpoint_s: float = 300.0
    password_days: int = 90
    password_history: int = 5
    failures_max: int = 5  # then nobody may try under that name for lock_s
    lock_s: float = 1800.0
    decide_h: float = 24.0  # a proposal that waited longer is looked at afresh
    use_h: float = 72.0  # an approval waits over a weekend for a platform that is away; later the facts are others
    answers_days: int = 400  # stored answers; then two people may delete them
    details_days: int = 3650  # files of frozen days; accounting records are kept for ten years
    # Where there are accounts, other parties' ledgers and runs by command are somebody's who signed in.
    books_by_people: bool = True
    unused_days: int = 90  # a role nobody used for a quarter is told in the report


class ProvinceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The province (docs/province.md). Without a url there is none."""

    url: str = ""  # its path comes before /province/v1/
    role: Literal["care", "insured", "both"] = "care"
    account: str = ""
    secret_file: str = ""
    timeout_s: float = 30.0
    page_rows: int = 1000  # of a statement; a page of them is half a megabyte
    rows_max: int = 2_000_000  # of one statement
    readings_max: int = 5  # of one statement before it is given up (reconciliation specification §7.3)
    again_s: float = 2.0  # before a question or a statement is asked for again
    tls: LinkTls | None = None

    @property
    def roles(self) -> tuple[Literal["care", "insured"], ...]:
        """The roles it is asked in; none without a province."""
        if not self.url:
            return ()
        return ("care", "insured") if self.role == "both" else (self.role,)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole configuration. `folder` is where relative paths start; `file`: as it was named; `sm3`: of it, in hex."""

    node: Node
    listen: Listen
    store: StoreConfig
    platform: dict[str, Platform]
    institution: list[InstitutionConfig]
    tls: Tls | None = None
    codes: CodesConfig = CodesConfig()
    lists: ListsConfig = ListsConfig()
    security: SecurityConfig = SecurityConfig()
    books: BooksConfig = BooksConfig()
    province: ProvinceConfig = ProvinceConfig()
    duties: dict[str, Any] = msgspec.field(
        default_factory=dict
    )  # differences from schemas/duties; gateway.codes.duties
    folder: str = "."
    file: str = "CONFIG"
    sm3: str = ""

    def path(self, text: str) -> Path:
        """Return a path of the configuration as an absolute one."""
        return (Path(self.folder) / text).absolute()

    @property
    def journal(self) -> Path:
        """The SQLite file named by [store] url."""
        return self.path(self.store.url.removeprefix("sqlite:"))

    @property
    def key_file(self) -> Path:
        """The key that seals stored answers (annex X34)."""
        return self.path(self.store.key_file) if self.store.key_file else self.path(self.node.data_dir) / "answers.key"

    @property
    def signing_key_file(self) -> Path:
        """The key that signs for the operating party."""
        name = self.security.signing_key_file
        return self.path(name) if name else self.path(self.node.data_dir) / "signing-sm2.key"

    @property
    def checkpoint_file(self) -> Path:
        """Where the signed checkpoints of the trail are written to, outside of its store."""
        name = self.security.checkpoint_file
        return self.path(name) if name else self.path(self.node.data_dir) / "audit-checkpoints.jsonl"

    def room(self, name: str) -> Path:
        """The file of another room beside the journal (annex X35)."""
        return self.journal.with_name(f"{self.journal.stem}-{name}.sqlite")

    @property
    def institution_endpoints(self) -> list[str]:
        listen = self.listen.institutions
        return [listen] if isinstance(listen, str) else list(listen)


def read_config(path: Path) -> Config:
    """Read and check a configuration; raise ConfigError with everything wrong."""
    try:
        raw = path.read_bytes()
        plain = tomllib.loads(raw.decode("utf-8-sig"))  # Windows editors begin with a mark
    except OSError as cause:
        raise ConfigError([f"{path}: 无法读取（{words_of(cause)}）"]) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError([f"{path}: 不是合法的TOML：{cause}"]) from cause
    from gateway.app.config_rules import endless, meaning  # the rules know the records, not the other way round

    problems = [*_shape(plain, Config, "$"), *endless(plain, "$")]
    ours = {"folder": str(path.parent), "file": str(path), "sm3": sm3(raw).hex()}
    config: Config = msgspec.convert({**_mended(plain, Config), **ours}, Config)
    spoiled = [_path(line) for line in problems if not line.endswith(_UNKNOWN)]
    # One wrong value hides nothing that is wrong elsewhere, and brings no second complaint about itself.
    problems += [line for line in meaning(config) if not any(_touches(_path(line), one) for one in spoiled)]
    if problems:
        raise ConfigError(problems)
    return config


_UNKNOWN = "未知的配置项"
_OURS = ("folder", "file", "sm3")


def _path(line: str) -> str:
    return line.partition(": ")[0]


def _touches(path: str, spoiled: str) -> bool:
    """Say whether a rule at path speaks of the spoiled value: it stands there, below it, or is a part of it."""
    return (
        path == spoiled
        or path.startswith((f"{spoiled}.", f"{spoiled}["))
        or spoiled.startswith((f"{path}.", f"{path}["))
    )


def _mended(value: Any, kind: Any) -> Any:
    """Return value as it can be converted to kind; None for what cannot. A table loses only its wrong values."""
    if _is_struct(kind):
        return _mended_table(value if isinstance(value, dict) else {}, kind)
    if kind == dict[str, Platform]:
        return {name: _mended(one, Platform) for name, one in value.items()} if isinstance(value, dict) else None
    if kind == list[InstitutionConfig]:
        return [_mended(one, InstitutionConfig) for one in value] if isinstance(value, list) else None
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
    return value


def _mended_table(table: dict[str, Any], kind: Any) -> dict[str, Any]:
    found = {}
    for field in msgspec.structs.fields(kind):
        wanted = _table_of(field.type)
        one = _mended(table[field.encode_name], wanted) if field.encode_name in table else None
        if one is None and field.required:
            empty = "" if wanted is str else _mended({}, wanted)
            one = [] if empty is None else empty
        if one is not None:
            found[field.encode_name] = one
    return found


def _shape(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Yield every wrong type, missing and unknown key: msgspec stops at the first, so tables are taken one by one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, dict):
            yield f"{path}: 应为表"
            return
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind) if field.name not in _OURS}
        for name in sorted(value.keys() - fields.keys()):
            yield f"{path}.{name}: {_UNKNOWN}"
        for name, field in fields.items():
            if name in value:
                yield from _field(value[name], field.type, f"{path}.{name}")
            elif field.required:
                yield f"{path}.{name}: 缺少配置项"
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as cause:
        yield f"{path}: {_in_chinese(str(cause))}"


_KINDS = {
    "int": "整数",
    "float": "数字",
    "str": "文本",
    "bool": "true或false",
    "array": "数组",
    "object": "表",
    "null": "空",
}
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")


def _in_chinese(text: str) -> str:
    """Say msgspec's complaint in the operator's language."""
    found = _EXPECTED.search(text)
    if found is not None:
        wanted, got = (
            "或".join(_KINDS.get(part.strip(), part.strip()) for part in one.split("|")) for one in found.groups()
        )
        return f"应为{wanted}，现在是{got}"
    if text.startswith("Invalid enum value"):
        return f"不允许的取值{text.removeprefix('Invalid enum value').split(' - ')[0]}"
    return text


def _field(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind == dict[str, Platform]:
        if not isinstance(value, dict) or not value:
            yield f"{path}: 至少应配置一条平台链路"
            return
        for name, one in value.items():
            yield from _shape(one, Platform, f"{path}.{name}")
    elif kind == list[InstitutionConfig]:
        if not isinstance(value, list) or not value:
            yield f"{path}: 至少应配置一家定点医药机构"
            return
        for index, one in enumerate(value):
            yield from _shape(one, InstitutionConfig, f"{path}[{index}]")
    else:
        yield from _shape(value, _table_of(kind), path)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _table_of(kind: Any) -> Any:
    """Return the table of `Table | None`, any other kind as it is."""
    parts = kind.__args__ if isinstance(kind, UnionType) else ()
    return next((one for one in parts if _is_struct(one)), kind)
