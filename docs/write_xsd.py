"""Write schemas/settlement_list/lists.xsd from the fields of a settlement list: `make xsd`. A test compares the two."""

from pathlib import Path

from gateway.app.lists_rules import FOLDER, rule_set
from gateway.lists.xsd import schema_of

TARGET = Path(__file__).parents[1] / "schemas" / FOLDER / "lists.xsd"

if __name__ == "__main__":
    TARGET.write_text(schema_of(rule_set().nodes), "utf-8")
