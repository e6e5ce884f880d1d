"""The XML form of settlement lists as an XSD, written from the fields: what schemas/settlement_list/lists.xsd holds.

Structure only. Lengths and values are the rules' business: they tell all faults at once, and in Chinese.
"""

from collections.abc import Iterator

from gateway.lists.reading import HEAD, Nodes

NAMESPACE = "urn:liangding:settlement-lists:1"


def schema_of(nodes: Nodes) -> str:
    """Return the XSD of `<lists><list><setlinfo>..</setlinfo><diseinfo><row>..</row></diseinfo></list></lists>`."""
    return "\n".join(_lines(nodes)) + "\n"


def _lines(nodes: Nodes) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" '
        'elementFormDefault="qualified">'
    )
    yield '  <xs:element name="lists"><xs:complexType><xs:sequence>'
    yield '    <xs:element name="list" type="list" minOccurs="0" maxOccurs="unbounded"/>'
    yield "  </xs:sequence></xs:complexType></xs:element>"
    yield '  <xs:complexType name="list"><xs:all>'
    for node in nodes:
        kind = node if node == HEAD else f"{node}_rows"
        yield f'    <xs:element name="{node}" type="{kind}" minOccurs="0"/>'
    yield "  </xs:all></xs:complexType>"
    for node, fields in nodes.items():
        if node != HEAD:
            yield f'  <xs:complexType name="{node}_rows"><xs:sequence>'
            yield f'    <xs:element name="row" type="{node}" minOccurs="0" maxOccurs="unbounded"/>'
            yield "  </xs:sequence></xs:complexType>"
        yield f'  <xs:complexType name="{node}"><xs:all>'
        for name, spec in fields.items():
            yield f'    <xs:element name="{name}" type="xs:string" minOccurs="0"/><!-- {spec.zh} -->'
        yield "  </xs:all></xs:complexType>"
    yield "</xs:schema>"
