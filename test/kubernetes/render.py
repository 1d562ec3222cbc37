"""Renders the chart by Helm's own library and checks manifests against the schemas of Kubernetes and of the Prometheus operator.

    render.py chart FOLDER VALUES_JSON     prints a JSON list of manifests in YAML
    render.py lint FOLDER                  prints Helm's findings as JSON
    render.py validate CRD_FOLDER < FILE   reads YAML documents; prints a JSON list of what is wrong
"""
import json
import sys

import helm_python as helm
import jsonschema
import kubernetes_validate
import yaml

# The oldest and the newest release that is looked at.
VERSIONS = ["1.29", "1.37"]


def closed(schema):
    """The schema of a CRD as the API server applies it in strict validation: without unknown fields."""
    if isinstance(schema, dict):
        copy = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and isinstance(schema["properties"], dict) and schema.get("type") == "object":
            copy.setdefault("additionalProperties", False)
        if schema.get("x-kubernetes-int-or-string"):
            copy.pop("type", None)
        return copy
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


def crds(folder):
    found = {}
    for kind in ["podmonitors", "prometheusrules"]:
        with open(f"{folder}/monitoring.coreos.com_{kind}.yaml", encoding="utf-8") as file:
            spec = yaml.safe_load(file)["spec"]
        found[spec["names"]["kind"]] = spec["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def validate(folder, text):
    problems = []
    custom = crds(folder) if folder else {}
    for document in filter(None, yaml.safe_load_all(text)):
        kind = document["kind"]
        name = f"{kind} {document['metadata']['name']}"
        if document["apiVersion"].startswith("monitoring.coreos.com/"):
            if not custom:
                continue
            schema = closed(custom[kind])
            schema["properties"]["metadata"] = {"type": "object"}
            problems += [f"{name}: {error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{name}: Kubernetes {version}: {error.message}")
    return problems


command, *args = sys.argv[1:]
if command == "chart":
    with helm.Chart.load(args[0]) as chart:
        rendered = chart.render(json.loads(args[1]), name="demo", namespace="prod")
    print(json.dumps([text for path, text in sorted(rendered.items()) if path.endswith(".yaml") and text.strip()]))
elif command == "lint":
    print(json.dumps(helm.lint(args[0])))
else:
    print(json.dumps(validate(args[0] if args else "", sys.stdin.read())))
