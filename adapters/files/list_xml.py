"""Settlement lists as XML: streamed list by list, structure checked against an XSD while reading.

No entities, no DTD, no network, no huge texts (security T3). What is wrong is told by line and element name: libxml2's
own sentences quote values, and values are patients'.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

SIZE_MAX = 1 << 30
_ELEMENT = re.compile(r"Element '(?:\{[^}]*\})?([A-Za-z0-9_]{1,60})'")


class XmlRefused(Exception):
    """The file cannot be taken; the text is Chinese and names line and element, never a value."""


def lists_of(file: Path, schema: bytes, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield every `<list>` as nodes: setlinfo an object, the others arrays of records. Raises XmlRefused, OSError."""
    if file.stat().st_size > SIZE_MAX:
        raise XmlRefused(f"文件超过{SIZE_MAX >> 20}MB，请分成几个文件")
    rules = etree.XMLSchema(etree.fromstring(schema))
    one, whole = f"{{{namespace}}}list", f"{{{namespace}}}lists"
    with file.open("rb") as stream:
        reader = etree.iterparse(
            stream, events=("end",), tag=(one, whole), schema=rules, resolve_entities=False, no_network=True,
            load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        ended = False
        try:
            for _, element in reader:
                if element.getroottree().docinfo.doctype:
                    raise XmlRefused("不接受DOCTYPE声明")
                if element.tag == whole:
                    ended = True
                    continue
                yield _tree(element)
                element.clear()
                while element.getprevious() is not None:  # what was read is let go
                    del element.getparent()[0]
        except etree.XMLSyntaxError as cause:
            raise XmlRefused(_told(cause)) from None  # its own words may quote a value
        if not ended:  # with a schema, lxml ends quietly on a file that is cut short
            raise XmlRefused(f"不是完好的XML：没有读到lists的结尾（根元素应为lists，命名空间{namespace}）")


def _tree(element: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in element:
        name = etree.QName(node).localname
        rows = [row for row in node if etree.QName(row).localname == "row"]
        if name == "setlinfo":
            found[name] = _record(node)
        else:
            found[name] = [_record(row) for row in rows]
    return found


def _record(element: Any) -> dict[str, str]:
    return {etree.QName(field).localname: field.text or "" for field in element}


def _told(cause: etree.XMLSyntaxError) -> str:
    line = cause.lineno or 0
    found = _ELEMENT.search(cause.msg or "")
    if found is not None:
        return f"第{line}行：元素{found[1]}不符合lists.xsd"
    return f"第{line}行：不是完好的XML（须为UTF-8或注明编码，不含外部实体）"
