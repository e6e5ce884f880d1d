"""Which columns of the institution's list and of the national file each system reads, by the titles they go by (C3).

Everything else in a file is ignored. Titles: names of the published tables, Chinese titles of the 13xx downloads, and
what hospitals call their own columns.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.codes.systems import library_titles
from gateway.core.code_systems import CodeSystemSpec

Titles = Mapping[str, tuple[str, ...]]


class LocalDrug(NamedTuple):
    spec: str
    pack: str
    form: str
    maker: str
    approval: str
    unit: str
    barcode: str


class Drug(NamedTuple):
    form: str
    spec: str
    pack: str
    min_unit: str
    pack_unit: str
    approval: str
    maker: str
    packer: str
    holder: str
    barcode: str


class LocalService(NamedTuple):
    price_code: str
    unit: str
    charge_type: str
    content: str
    exclusion: str


class Service(NamedTuple):
    price_code: str
    unit: str
    charge_type: str
    content: str
    exclusion: str


class LocalConsumable(NamedTuple):
    spec: str
    udi: str
    reg_no: str
    maker: str
    unit: str


class Consumable(NamedTuple):
    generic: str
    feature: str
    material: str
    spec: str
    udi: str
    reg_no: str
    reg_end: str
    maker: str
    registrant: str
    unit: str


class LocalIcd(NamedTuple):
    icd_code: str
    version: str


class Icd(NamedTuple):
    clinical: str
    national_version: str
    society_version: str
    clinical_name: str


class LocalStaff(NamedTuple):
    identity: str
    licence: str
    place: str


class Staff(NamedTuple):
    identity: str
    licence: str
    place: str
    state: str


class LocalNamed(NamedTuple):
    key: str
    region: str


class Named(NamedTuple):
    key: str
    licence: str
    region: str


class Columns(NamedTuple):
    """The titles of one system's files and the tuples their facts become."""

    local_facts: type
    local: Titles
    facts: type
    national: Titles


_UNIT = ("local_unit", "单位", "计价单位", "包装单位", "prcunt")
_MAKER = ("local_maker", "生产企业", "生产厂家", "厂家", "产地", "生产企业名称", "prodentp_name")
_SPEC = ("local_spec", "规格", "药品规格", "规格型号", "spec")
_PLACE = ("fixmedins_code", "定点医药机构编号", "定点医药机构编码", "医疗机构编码", "机构编码")
_IDENTITY = ("certno", "psn_cert_no", "证件号码", "身份证号", "身份证号码")
_LICENCE = ("prac_cert_no", "prac_psn_cert", "执业证书编号", "资格证书编号", "执业证书编码")

_DRUG = Columns(
    LocalDrug,
    {
        "spec": _SPEC,
        "pack": ("local_pack", "包装", "包装规格", "pacspec"),
        "form": ("local_dosform", "剂型", "药品剂型", "dosform"),
        "maker": _MAKER,
        "approval": ("local_aprvno", "批准文号", "国药准字", "aprvno"),
        "unit": _UNIT,
        "barcode": ("local_barcode", "local_stdcode", "本位码", "药监本位码", "药品本位码"),
    },
    Drug,
    {
        "form": ("dosform", "药品剂型名称", "注册剂型", "剂型名称", "药品剂型"),
        "spec": ("spec", "药品规格", "注册规格", "规格"),
        "pack": ("pacspec", "包装规格", "中药配方颗粒包装规格"),
        "min_unit": ("min_unit", "最小制剂单位名称", "最小制剂单位", "最小计量单位"),
        "pack_unit": ("pack_unit", "最小包装单位名称", "最小包装单位"),
        "approval": ("aprvno", "批准文号", "上市备案号"),
        "maker": ("prodentp_name", "生产企业名称"),
        "packer": ("分包装厂家",),
        "holder": ("上市许可证持有人", "公司名称"),
        "barcode": ("std_code", "药监本位码"),
    },
)
_SERVICE = Columns(
    LocalService,
    {
        "price_code": ("local_price_code", "物价编码", "收费编码", "价格编码", "物价码"),
        "unit": _UNIT,
        "charge_type": ("local_chrgitm", "收费类别", "med_chrgitm_type"),
        "content": ("local_item_cont", "项目内涵", "item_cont"),
        "exclusion": ("local_exct_cont", "除外内容", "exct_cont"),
    },
    Service,
    {
        "price_code": ("local_price_code",),
        "unit": ("prcunt", "计价单位名称", "计价单位"),
        "charge_type": ("med_chrgitm_type",),
        "content": ("item_cont", "诊疗项目内涵"),
        "exclusion": ("exct_cont", "诊疗除外内容"),
    },
)
_CONSUMABLE = Columns(
    LocalConsumable,
    {
        "spec": _SPEC,
        "udi": ("local_udi", "UDI", "医疗器械唯一标识", "医疗器械唯一标识码", "udi_di"),
        "reg_no": ("local_reg_no", "注册证号", "注册备案号", "reg_fil_no"),
        "maker": _MAKER,
        "unit": _UNIT,
    },
    Consumable,
    {
        "generic": ("hi_genname", "医保通用名"),
        "feature": ("feature",),
        "material": ("mcs_matl", "耗材材质"),
        "spec": ("spec_mol", "规格型号", "规格", "产品型号"),
        "udi": ("udi_di", "医疗器械唯一标识码"),
        "reg_no": ("reg_fil_no", "注册备案号"),
        "reg_end": ("reg_fil_end", "注册证有效期结束时间"),
        "maker": ("prodentp_name", "生产企业名称"),
        "registrant": ("注册备案人名称",),
        "unit": ("min_unit", "最小使用单位"),
    },
)


def _icd(*titles: str) -> Columns:
    return Columns(
        LocalIcd,
        {"icd_code": titles, "version": ("icd_version", "编码版本", "版本")},
        Icd,
        {
            "clinical": ("clin_diag_code", "clin_oprn_code", "临床版诊断代码", "临床版手术操作代码"),
            "national_version": ("gb_diag_code", "国标版诊断代码"),
            "society_version": ("团标版手术操作代码",),
            "clinical_name": ("clin_diag_name", "临床版诊断名称", "临床版手术操作名称"),
        },
    )


_STAFF = Columns(
    LocalStaff,
    {
        "identity": ("local_certno", *_IDENTITY),
        "licence": ("local_prac_cert_no", *_LICENCE),
        "place": _PLACE,
    },
    Staff,
    {"identity": _IDENTITY, "licence": _LICENCE, "place": _PLACE, "state": ("prac_stas", "执业状态", "在职状态")},
)
_NAMED = Columns(
    LocalNamed,
    {
        "key": ("local_uscc", "local_lic_no", "uscc", "统一社会信用代码", "许可证号"),
        "region": ("local_admdvs", "admdvs", "医保区划"),
    },
    Named,
    {"key": ("uscc",), "licence": ("drug_biz_lic_no",), "region": ("admdvs", "医保区划")},
)

COLUMNS: Mapping[str, Columns] = {
    "drug": _DRUG,
    "service_item": _SERVICE,
    "consumable": _CONSUMABLE,
    "diagnosis": _icd("icd_code", "local_icd_code", "ICD编码", "疾病编码", "诊断编码", "ICD10", "ICD-10"),
    "operation": _icd("icd9_code", "icd_code", "local_icd_code", "手术编码", "手术操作编码", "ICD9", "ICD-9"),
    "doctor": _STAFF,
    "nurse": _STAFF,
    "pharmacist": _STAFF,
}
LOCAL_KEY = ("local_code", "local_name")
NATIONAL_KEY = ("code", "name")
_LOCAL: Titles = {
    "local_code": ("local_code", "院内编码", "本地编码", "fixmedins_hilist_id", "medins_list_codg"),
    "local_name": ("local_name", "院内名称", "本地名称", "名称", "姓名", "fixmedins_hilist_name"),
    "mapped_now": ("mapped_now", "现对应编码"),
    "old_code": ("old_city_code", "原城市编码", "旧城市编码", "旧编码"),
}
_ALSO: Titles = {
    "alias": ("alias", "别名"),
    "trade": ("药品商品名",),
    "registered": ("注册名称",),
    "generic": ("hi_genname", "医保通用名"),
    "replaced_by": ("replaced_by",),
    "used": ("used_flag",),
}
NAMES = ("name", "registered", "trade", "generic", "alias")


def columns(system: str) -> Columns:
    """Return the columns of a system; one without a table of its own is compared by name and licence."""
    return COLUMNS.get(system, _NAMED)


def local_titles(system: str) -> dict[str, tuple[str, ...]]:
    """Return our name -> titles of an institution's list."""
    own = {f"fact:{name}": titles for name, titles in columns(system).local.items()}
    return {**_LOCAL, **own}


def national_titles(spec: CodeSystemSpec) -> dict[str, tuple[str, ...]]:
    """Return our name -> titles of a national file."""
    own = {f"fact:{name}": titles for name, titles in columns(spec.id).national.items()}
    return {**library_titles(spec), **_ALSO, **own}
