"""The Deployment of deploy/kubernetes as it is written: its command, environment, probes,
preStop hook and rolling update, with a local HAProxy in the place of the Service."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest

from harness import SCRATCH, TOP, Broker, Postgres, Service, free_port, open_shop, wait_until

try:
    import yaml
    MISSING = None if shutil.which("haproxy", path="/usr/sbin:/usr/bin") else "haproxy is missing"
except ImportError:
    MISSING = "python3-yaml is missing"


def manifests():
    with open(os.path.join(TOP, "deploy/kubernetes/base/service.yaml"), encoding="utf-8") as file:
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(file)}


class Proxy:
    """HAProxy over these ports, of which none is up before it is asked for."""

    def __init__(self, ports, probe):
        self.port = free_port()
        self.admin = os.path.join(SCRATCH, "haproxy.sock")
        lines = ["global", f"  stats socket {self.admin} level admin", "defaults", "  mode http", "  timeout connect 2s",
                 "  timeout client 30s", "  timeout server 30s", f"  timeout check {probe.get('timeoutSeconds', 1)}s",
                 f"listen shop", f"  bind 127.0.0.1:{self.port}", f"  option httpchk GET {probe['httpGet']['path']}"]
        lines += [f"  server s{port} 127.0.0.1:{port} check inter {probe['periodSeconds']}s fall {probe['failureThreshold']} "
                  "rise 1 disabled" for port in ports]
        path = os.path.join(SCRATCH, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.process = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", path], stdout=subprocess.DEVNULL,
                                        stderr=open(os.path.join(SCRATCH, "haproxy.log"), "wb"))
        wait_until("HAProxy", lambda: os.path.exists(self.admin))

    def state(self, port, state):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.admin)
            s.sendall(f"set server shop/s{port} state {state}\n".encode())
            assert s.recv(1000).strip() == b"", state

    def end(self):
        self.process.kill()
        self.process.wait()


class Load(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.over = False
        self.answered = 0
        self.failed = []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.over:
            try:
                connection.request("POST", "/recommend", json.dumps({"user_id": self.answered % 60 + 1}),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200 and json.loads(body)["recommendations"]:
                    self.answered += 1
                else:
                    self.failed.append((answer.status, body[:200]))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            time.sleep(0.005)


@unittest.skipIf(MISSING, f"a rolling update: {MISSING}")
class TestRolling(unittest.TestCase):
    def setUp(self):
        self.server = Postgres("rolled")
        open_shop(self.server)
        self.broker = Broker()
        found = manifests()
        self.deployment = found["Deployment", "recsys-service"]["spec"]
        self.pod = self.deployment["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.environment = {**found["ConfigMap", "recsys-service"]["data"], **found["Secret", "recsys-service"]["stringData"],
                            **{one["name"]: one["value"] for one in self.container["env"]}}
        self.files = found["ConfigMap", "recsys-service-files"]["data"]
        self.target = found["Service", "recsys-service"]["spec"]["ports"][0]["targetPort"]

    def start(self, port):
        """A pod: where it is, what it is called with and what it reads are the manifest's, addresses are ours."""
        settings = {name[len("RECSYS_"):].lower(): value for name, value in self.environment.items()}
        settings.update(database=self.server.uri(), brokers=self.broker.servers, topic="clicks", host="127.0.0.1", port=port,
                        filters=json.loads(self.files[os.path.basename(settings["filters"])]))
        return Service(command=self.container["command"], startup=self.container["startupProbe"],
                       probe=self.container["readinessProbe"], **settings)

    def finish(self, pod, proxy):
        """As Kubernetes ends a pod: the hook runs while endpoints are still forgetting it, then SIGTERM."""
        hook = subprocess.Popen(self.container["lifecycle"]["preStop"]["exec"]["command"])
        time.sleep(1)
        proxy.state(pod.port, "drain")
        hook.wait()
        started = time.monotonic()
        self.assertEqual(pod.stop(), 0)
        self.assertLess(time.monotonic() - started, self.pod["terminationGracePeriodSeconds"])

    def test_rolled_under_load(self):
        self.assertEqual(self.environment["RECSYS_PORT"], str(self.target))
        self.assertEqual(self.deployment["strategy"]["rollingUpdate"]["maxUnavailable"], 0)
        count = self.deployment["replicas"]
        ports = [free_port() for _ in range(2 * count)]
        proxy = Proxy(ports, self.container["readinessProbe"])
        self.addCleanup(proxy.end)
        pods = [self.start(port) for port in ports[:count]]
        for pod in pods:
            proxy.state(pod.port, "ready")
        threads = [Load(proxy.port) for _ in range(4)]
        wait_until("the proxy answers", lambda: self.answers(proxy.port))
        for thread in threads:
            thread.start()
        for old, port in zip(pods, ports[count:]):
            new = self.start(port)
            proxy.state(port, "ready")
            self.finish(old, proxy)
            with open(f"/proc/{new.process.pid}/status", encoding="utf-8") as file:
                used = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            self.assertLess(used, 1024 * int(self.container["resources"]["limits"]["memory"][:-2]))
        time.sleep(0.5)
        for thread in threads:
            thread.over = True
        for thread in threads:
            thread.join(40)
        failed = [one for thread in threads for one in thread.failed]
        print(f"# {count} instances rolled under load: {sum(t.answered for t in threads)} requests answered, "
              f"{len(failed)} failed, {used // 1024} MB an instance", flush=True)
        self.assertEqual(failed, [])
        self.assertGreater(sum(thread.answered for thread in threads), 100)

    @staticmethod
    def answers(port):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
