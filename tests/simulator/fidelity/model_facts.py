"""What the simulator was built against: a snapshot of the DRS model in the pinned botocore.

Regenerate `model_facts.json` after a botocore upgrade, once the differences are understood:

    python -m tests.simulator.fidelity.model_facts
"""

import json
from pathlib import Path
from typing import Any

import boto3
from botocore.loaders import create_loader

SNAPSHOT = Path(__file__).with_name("model_facts.json")
LIMITS = ("type", "min", "max", "pattern", "enum", "required", "union", "error")


def facts() -> dict[str, Any]:
    """Operations with their members and errors, shapes with their limits, pages and Regions."""
    model = create_loader().load_service_model("drs", "service-2")
    pages = create_loader().load_service_model("drs", "paginators-1")
    return {
        "operations": {name: _operation(raw) for name, raw in model["operations"].items()},
        "shapes": {name: _shape(raw) for name, raw in model["shapes"].items()},
        "pagination": pages["pagination"],
        "regions": {
            partition: boto3.Session(region_name="us-east-1").get_available_regions(
                "drs", partition_name=partition
            )
            for partition in boto3.Session().get_available_partitions()
        },
    }


def _operation(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "http": raw["http"],
        "input": raw.get("input", {}).get("shape"),
        "output": raw.get("output", {}).get("shape"),
        "errors": sorted(error["shape"] for error in raw["errors"]),
        "flags": sorted({"idempotent", "readonly", "deprecated"} & raw.keys()),
    }


def _shape(raw: dict[str, Any]) -> dict[str, Any]:
    limits: dict[str, Any] = {key: raw[key] for key in LIMITS if key in raw}
    if "members" in raw:
        limits["members"] = {
            name: {key: value for key, value in member.items() if key != "documentation"}
            for name, member in raw["members"].items()
        }
    for part in ("member", "key", "value"):
        if part in raw:
            limits[part] = raw[part]["shape"]
    return limits


SERVICE: dict[str, Any] = facts()


def main() -> None:
    SNAPSHOT.write_text(json.dumps(SERVICE, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
