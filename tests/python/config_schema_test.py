"""`config schema` in the hands of a validator that is not ours: every experiment of models/ passes, and a graph with a wrong key,
a missing one or an unknown op does not. Usage: config_schema_test.py BINARY"""

import copy
import json
import pathlib
import re
import subprocess
import sys

import jsonschema

BINARY = sys.argv[1]
MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"


def engine(*args):
    return subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, check=True).stdout


def without_comments(text):
    return json.loads(re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*', lambda m: m.group(1) or "", text))


schema = json.loads(engine("config", "schema"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)


def with_causes(error):
    return [error, *(e for cause in error.context for e in with_causes(cause))]


def problems(tree):
    return [e for error in validator.iter_errors(tree) for e in with_causes(error)]


files = sorted(MODELS.glob("*.json"))
assert len(files) >= 15
for file in files:
    for tree in without_comments(file.read_text()), json.loads(engine("config", "graph", "--whole", file)):
        assert not problems(tree), (file, problems(tree)[0].message)

good = without_comments((MODELS / "preactivation.json").read_text())


def broken(change):
    tree = copy.deepcopy(good)
    change(tree["model"]["graph"], tree["model"]["graph"]["nodes"])
    found = " | ".join(e.message for e in problems(tree))
    assert found, "the schema sees nothing wrong"
    return found


assert "'kernal' was unexpected" in broken(lambda g, n: n[0].update(kernal=3))
assert "'kernel' was unexpected" in broken(lambda g, n: n[1].update(kernel=3)), "a bn has no kernel"
assert "'kernel' is a required property" in broken(lambda g, n: n[0].pop("kernel"))
assert "'covn' is not one of" in broken(lambda g, n: n[0].update(op="covn"))
assert "'in' is a required property" in broken(lambda g, n: n[0].pop("in"))
assert "too long" in broken(lambda g, n: n[1].update({"in": ["stem", "image"]}))
assert "'3' is not of type" in broken(lambda g, n: n[0].update(kernel="3"))
assert "'outptu' was unexpected" in broken(lambda g, n: g.update(outptu="classes"))
assert "too short" in broken(lambda g, n: g["input"].update(shape=[3, 32]))
print(f"{len(files)} experiments pass, 9 broken graphs do not")
