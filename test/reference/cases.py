"""
What the recorders of this folder share: a list of cases, written as JSON with
one case a line.

A case is {"name", "kind", "options", "input", "expected"}, or "error": true in
the place of expected where the reference refuses the input.  JSON has no NaN
and no infinity: they are the strings "NaN", "Infinity" and "-Infinity", and "-0" is
negative zero; PostgreSQL casts them to double precision as they are.
"""
import json
import math


def plain(value):
    """A value as JSON has it: numbers and vectors of any library become its own."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "toArray"):
        value = value.toArray()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if value == 0 and math.copysign(1, value) < 0:
            return "-0"
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


class Cases:
    def __init__(self, made_with):
        self.made_with = made_with
        self.cases = []

    def add(self, name, kind, options, given, run):
        """Record what run() returns, or that it raises.  A name may occur once."""
        assert name not in {case["name"] for case in self.cases}, name
        case = {"name": name, "kind": kind, "options": plain(options), "input": plain(given)}
        try:
            case["expected"] = plain(run())
        except Exception as error:  # whatever the reference raises is its refusal
            case["error"] = True
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
        self.cases.append(case)

    def write(self, path):
        lines = ",\n".join(json.dumps(case, sort_keys=False) for case in self.cases)
        with open(path, "w", encoding="ascii") as file:
            file.write('{"made_with": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(self.made_with), lines))
        print(f"{path}: {len(self.cases)} cases")
