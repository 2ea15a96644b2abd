"""The manifests against the schemas of two versions of Kubernetes, and what kustomize makes of them."""

import glob
import json
import os
import shutil
import subprocess
import unittest

from harness import TOOLS, TOP

try:
    import yaml
except ImportError:
    yaml = None
VERSIONS = ("1.29", "1.32")
# In an interpreter of its own, which has other versions of packages than Debian's
VALIDATE = """
import json, sys, kubernetes_validate
wrong = []
for document in json.load(sys.stdin):
    for version in sys.argv[1:]:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append([document["kind"], document["metadata"]["name"], version, error.message])
print(json.dumps(wrong))
"""
FOLDER = os.path.join(TOP, "deploy/kubernetes")


@unittest.skipIf(yaml is None, "manifests: python3-yaml is missing")
class TestManifests(unittest.TestCase):
    def check(self, documents):
        if not os.path.exists(os.path.join(TOOLS, "bin/kubernetes-validate")):
            self.skipTest("schemas of Kubernetes: kubernetes-validate is missing (make service-tools)")
        done = subprocess.run([os.path.join(TOOLS, "bin/python"), "-c", VALIDATE, *VERSIONS], input=json.dumps(documents),
                              stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), [])

    def test_base(self):
        documents = []
        for path in glob.glob(os.path.join(FOLDER, "base/*.yaml")):
            with open(path, encoding="utf-8") as file:
                documents += [one for one in yaml.safe_load_all(file) if one["kind"] != "Kustomization"]
        self.assertGreater(len(documents), 10)
        self.check(documents)

    def test_a_wrong_one_is_seen(self):
        with self.assertRaises(AssertionError):
            self.check([{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wrong"}, "spec": {"portz": 80}}])

    def test_overlays(self):
        kustomize = shutil.which("kustomize", path=os.path.join(TOOLS, "bin"))
        if kustomize is None:
            self.skipTest("overlays: kustomize is missing (make service-tools)")
        for overlay in ("laptop", "production"):
            made = subprocess.run([kustomize, "build", os.path.join(FOLDER, overlay)], stdout=subprocess.PIPE, text=True, check=True)
            documents = list(yaml.safe_load_all(made.stdout))
            kinds = [one["kind"] for one in documents]
            self.assertEqual(kinds.count("Deployment"), 1)
            self.assertEqual(kinds.count("Secret"), 0 if overlay == "production" else 2)
            self.assertEqual({one["metadata"].get("namespace", "recsys") for one in documents}, {"recsys"})
            self.check(documents)
