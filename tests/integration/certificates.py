"""Certificates for tests, made by the openssl command: a root, an intermediate, and servers."""

import base64
import datetime
import hashlib
import pathlib
import subprocess
import sys
from dataclasses import dataclass

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
rand_serial = yes
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
[client]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
"""


@dataclass(frozen=True)
class Server:
    """What a TLS server (or a client) needs: its chain (leaf first) and its key, as PEM files."""

    chain: pathlib.Path
    key: pathlib.Path

    @property
    def pin(self):
        """sha256// of its public key."""
        def pipe(command, data):
            return subprocess.run(command, input=data, capture_output=True, check=True).stdout
        key = pipe(["openssl", "pkey", "-in", str(self.key), "-pubout", "-outform", "DER"], b"")
        return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


class Authority:
    """A root with one intermediate below it. `root` is what clients trust, a PEM file.

    key: "ec" (P-256) or "rsa" (2048 bits), for all that it makes.
    """

    def __init__(self, folder, key="ec", name="limpet test root"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key_kind = key
        (self.folder / "index.txt").touch()
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        self.root = self.folder / "root.pem"
        root_key = self._key("root")
        self._run("req", "-x509", "-new", "-key", root_key, "-subj", f"/CN={name}", "-days", "3650",
                  "-extensions", "authority", "-out", self.root, "-config", self.config)
        self.intermediate = self._issue("intermediate", f"/CN={name} intermediate",
                                        "authority", (self.root, root_key), days=(-1, 1825))

    def server(self, label="server", names=("localhost",), addresses=("127.0.0.1",), days=(-1, 90)):
        """A server's chain for these DNS names and addresses.

        days: from when until when it is valid, counted from today; (-10, -1) has expired,
        (1, 2) is not valid yet.
        """
        alternatives = [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses]
        leaf, key = self._issue(label, f"/CN={names[0]}", "server", self.intermediate, days,
                                "subjectAltName=" + ",".join(alternatives))
        chain = self.folder / f"{label}-chain.pem"
        chain.write_text(leaf.read_text() + self.intermediate[0].read_text())
        return Server(chain, key)

    def client(self, label="client", days=(-1, 90)):
        """A client's chain and key."""
        leaf, key = self._issue(label, f"/CN={label}", "client", self.intermediate, days)
        chain = self.folder / f"{label}-chain.pem"
        chain.write_text(leaf.read_text() + self.intermediate[0].read_text())
        return Server(chain, key)

    def _issue(self, label, subject, extensions, issuer, days, alternatives=None):
        certificate, key = self.folder / f"{label}.pem", self._key(label)
        request = self.folder / f"{label}.csr"
        extra = ["-addext", alternatives] if alternatives else []
        self._run("req", "-new", "-key", key, "-subj", subject, "-out", request,
                  "-config", self.config, *extra)
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = ((now + datetime.timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in days)
        self._run("ca", "-batch", "-notext", "-config", self.config, "-extensions", extensions,
                  "-cert", issuer[0], "-keyfile", issuer[1], "-in", request, "-out", certificate,
                  "-startdate", start, "-enddate", end)
        return certificate, key

    def _key(self, label):
        path = self.folder / f"{label}.key"
        kind = {"ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]}[self.key_kind]
        self._run("genpkey", *kind, "-out", path)
        return path

    @staticmethod
    def _run(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


def main():
    """certificates.py FOLDER [ec|rsa]: root.pem, the chains and keys of a few servers and clients, and
    server.pin."""
    authority = Authority(sys.argv[1], *sys.argv[2:])
    server = authority.server("server", names=("gateway.test", "localhost"))
    (authority.folder / "server.pin").write_text(server.pin)
    authority.client("client")
    authority.server("other", names=("other.example",), addresses=("192.0.2.1",))
    authority.server("expired", days=(-10, -1))
    authority.server("future", days=(1, 10))
    authority.client("client-expired", days=(-10, -1))
    authority.client("client-future", days=(1, 10))


if __name__ == "__main__":
    main()
