"""The bill of materials of the packaged app: one CycloneDX file, valid by its schema, the same each time.

Run by the building environment's Python, which has CycloneDX's library:
    python build/materials.py SOURCES.txt SITE WEB VERSION OUT.cdx.json
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from parts import Part, parts

NAMESPACE = uuid.UUID("5b0f3d52-8a53-5d5e-9d50-5e6f1c8f2a31")


def component(part: Part) -> Component:
    licences = [LicenseFactory().make_from_string(part.licence)] if part.licence else []
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL.from_string(part.purl),
        bom_ref=part.purl,
        licenses=licences,
    )


def bill(every: list[Part], version: str) -> str:
    """As JSON. Raises ValueError where it is not as the schema wants it."""
    licence = LicenseFactory().make_from_string("Apache-2.0")
    app = Component(
        name="stepline", version=version, type=ComponentType.APPLICATION, bom_ref="stepline", licenses=[licence]
    )
    components = [component(part) for part in every]
    made = Bom(components=components)
    made.metadata.component = app
    made.metadata.timestamp = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), UTC)
    made.serial_number = uuid.uuid5(NAMESPACE, "\n".join([version, *(part.purl for part in every)]))
    made.register_dependency(app, components)
    told = JsonV1Dot6(made).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(told):
        raise ValueError(f"The bill of materials is not as its schema wants it: {wrong}")
    return json.dumps(json.loads(told), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    listed, site, web, version, out = sys.argv[1:]
    sources = [Path(line) for line in Path(listed).read_text("utf-8").splitlines()]
    Path(out).write_text(bill(parts(sources, Path(site), Path(web)), version), "utf-8")
