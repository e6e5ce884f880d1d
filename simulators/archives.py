"""Files: 9101 and 9102, and the 13xx catalogue downloads as ZIP with one TAB-separated text (envelope.md §3)."""

import base64
import binascii
import functools
import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

import schemas
from simulators import stamps, tables
from simulators.ledger import Books, Call, Refusal
from simulators.visits import Handler
from simulators.wording import Json

_EPOCH = (2026, 1, 1, 0, 0, 0)  # of every zip entry, so that the same rows give the same bytes
_WEEK_S = 7 * 86_400
# What zipfile raises for an archive in memory that is damaged, locked, packed in another way, or of several members.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, OSError,
)  # fmt: skip
CATALOGUE_OWNER = "plc"  # of every catalogue file, whoever asks for it
FIRST_VERSION = "v0000"  # what an institution asks with that has nothing yet

_TITLES: Mapping[str, tuple[str, ...]] = {
    "医疗目录编码": ("med_list_codg",),
    "药品通用名": ("generic_name",),
    "注册名称": ("generic_name",),
    "单味药名称": ("generic_name",),
    "药材名称": ("generic_name",),
    "别名": ("alias",),
    "药品剂型名称": ("dosform",),
    "注册剂型": ("dosform",),
    "药品规格": ("spec",),
    "注册规格": ("spec",),
    "包装规格": ("pacspec",),
    "最小使用单位": ("min_unit",),
    "最小包装单位": ("pack_unit",),
    "批准文号": ("aprvno",),
    "生产企业编号": ("prodentp_code",),
    "生产企业名称": ("prodentp_name",),
    "医疗服务项目名称": ("servitem_name",),
    "计价单位": ("prcunt",),
    "计价单位名称": ("prcunt",),
    "诊疗项目内涵": ("item_cont",),
    "诊疗除外内容": ("exct_cont",),
    "服务项目类别": ("med_chrgitm_type",),
    "耗材名称": ("mcs_name",),
    "医疗器械唯一标识码": ("udi_di",),
    "医保通用名代码": ("code20",),
    "医保通用名": ("hi_genname",),
    "规格": ("spec_mol",),
    "规格型号": ("spec_mol",),
    "耗材材质": ("mcs_matl",),
    "高值耗材标志": ("high_value",),
    "注册备案号": ("reg_fil_no",),
    "注册证有效期结束时间": ("reg_fil_end",),
    "西医疾病诊断ID": ("rid",),
    "章": ("chapter",),
    "类目代码": ("category",),
    "诊断代码": ("diag_code",),
    "诊断名称": ("diag_name",),
    "国标版诊断代码": ("diag_code",),
    "临床版诊断代码": ("clin_diag_code",),
    "手术标准目录ID": ("rid",),
    "手术操作代码": ("oprn_oprt_code",),
    "手术操作名称": ("oprn_oprt_name",),
    "门慢门特病种目录代码": ("opsp_dise_code",),
    "门慢门特病种名称": ("opsp_dise_name",),
    "门慢门特病种大类代码": ("opsp_dise_majcls_code",),
    "医保区划": ("admdvs",),
    "病种内涵": ("dise_cont",),
    "使用标记": ("used_flag",),
    "开始日期": ("begndate",),
    "生效时间": ("begndate",),
    "结束日期": ("enddate",),
    "失效时间": ("enddate",),
    "有效标志": ("vali_flag",),
    "唯一记录号": ("rid",),
    "版本号": ("ver",),
    "版本名称": ("ver_name", "ver"),
}
"""Column title of the provincial text -> columns of our tables, the first that a table has."""

_DOWNLOADS: Mapping[str, tuple[str, str]] = {
    "1301": ("national_drugs", "XZ"),
    "1302": ("national_drugs", "T"),
    "1305": ("national_services", ""),
    "1306": ("national_consumables", ""),
    "1307": ("national_diagnoses", ""),
    "1308": ("national_operations", ""),
    "1309": ("chronic_diseases", ""),
}
"""infno -> (table, first letters of the codes that belong to it); the other downloads answer an empty file."""


def zipped(name: str, text: str) -> bytes:
    """A ZIP with one UTF-8 text."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode())
    return out.getvalue()


def unzipped(content: bytes) -> str:
    """The one text of a ZIP; raises Refusal."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (name,) = archive.namelist()
            return archive.read(name).decode()
    except _DAMAGE as cause:
        raise Refusal("文件应为含一个文本的ZIP") from cause


def tab_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows by LF, columns by TAB, an empty value is the literal null."""
    return "".join("\t".join(value or "null" for value in row) + "\n" for row in rows)


@functools.cache
def _titles(infno: str) -> tuple[str, ...]:
    for path, raw in schemas.read("transactions", ".json"):
        if path.endswith(f"/{infno}.json"):
            return tuple(msgspec.json.decode(raw)["output"].get("_root", {}).get("file_columns") or ())
    return ()


def _cell(row: Mapping[str, str], title: str) -> str:
    value = next((row[name] for name in _TITLES.get(title, ()) if name in row), "")
    return value.replace("\t", " ").replace("\n", " ")


@functools.cache
def catalogue_file(infno: str, after: str = FIRST_VERSION) -> tuple[bytes, int]:
    """The ZIP of one 13xx download, the rows of later versions than `after`, and their number."""
    stem, letters = _DOWNLOADS.get(infno, ("", ""))
    rows = [
        [_cell(row, title) for title in _titles(infno)]
        for row in (tables.rows(stem) if stem else ())
        if (not letters or row["med_list_codg"][0] in letters) and (after == FIRST_VERSION or row["ver"] > after)
    ]
    return zipped(f"{infno}.txt", tab_rows(rows)), len(rows)


def download_catalogue(books: Books, call: Call) -> Json:
    """13xx with returns_file: names the file 9102 then brings."""
    content, count = catalogue_file(call.infno, call.body["data"]["ver"])
    filename = f"{call.infno}.zip"
    number = books.keep_file("F", filename, content, call.now_s)
    return {
        "file_qury_no": number,
        "filename": filename,
        "dld_end_time": stamps.stamp(call.now_s + _WEEK_S),
        "data_cnt": count,
    }


def file_bytes(value: object) -> bytes:
    """`in` of 9101: base64 text or an array of 0..255 (annex X24); raises Refusal."""
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
        if isinstance(value, list):
            return bytes(value)
    except (binascii.Error, ValueError, TypeError) as cause:
        raise Refusal("文件内容格式错误") from cause
    raise Refusal("文件内容格式错误")


def upload(books: Books, call: Call) -> Json:
    """9101"""
    facts = call.body["fsUploadIn"]
    number = books.keep_file("U", facts["filename"], file_bytes(facts["in"]), call.now_s)
    return {
        "file_qury_no": number,
        "filename": facts["filename"],
        "fixmedins_code": call.institution,
        "dld_endtime": stamps.stamp(call.now_s + _WEEK_S),
    }


def fetch(books: Books, call: Call) -> bytes:
    """9102: the bytes of a file; raises Refusal."""
    facts = call.body["fsDownloadIn"]
    found = books.files.get(facts["file_qury_no"])
    if found is None:
        raise Refusal("文件不存在或已过期")
    if facts["file_qury_no"].startswith("F") and facts["fixmedins_code"] != CATALOGUE_OWNER:
        raise Refusal(f"目录文件的fixmedins_code应为{CATALOGUE_OWNER}")
    return found[1]


CATALOGUES = (*(f"13{number:02d}" for number in range(1, 16) if number not in (4, 12)), "1320", "1321")

HANDLERS: Mapping[str, Handler] = {"9101": upload, **dict.fromkeys(CATALOGUES, download_catalogue)}
