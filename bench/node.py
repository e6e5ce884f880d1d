"""A gateway node for the bench: a real process with `tif` signing, a journal on this disk, and imported mappings."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from bench import procs
from bench.bodies import HOSPITAL, PHARMACY
from bench.procs import DidNotStart, Running
from simulators import mapping
from simulators.processes import free_port

SECRET = "bench-secret-not-a-real-one"
IMPORT_S = 120

_CONFIG = """
[node]
name = "bench"
data_dir = "{folder}"

[listen]
institutions = "{listen}"
admin = "tcp:{admin}:interface=127.0.0.1"
{tls}
[store]
url = "sqlite:{folder}/journal.sqlite"

[platform.national]
url = "{url}"
region = "national"
connections_max = 64
signing = {{profile = "tif", paasid = "bench", secret_file = "{folder}/secret"}}
{link_tls}
{institutions}"""

_INSTITUTION = """
[[institution]]
fixmedins_code = "{code}"
name = "{name}"
link = "national"
rate_per_s = 1000000
connections_max = 1024
{source}
"""


@attrs.frozen
class Certificates:
    """A PKI made by `python -m certs city`. sha256: of the client certificate, hex."""

    folder: Path
    sha256: str

    @property
    def client(self) -> list[str]:
        """CA, certificate and key of the load client."""
        return [str(self.folder / name) for name in ("ca.pem", f"{HOSPITAL}.pem", f"{HOSPITAL}.key")]

    @property
    def platform(self) -> tuple[Path, Path]:
        return self.folder / "platform.pem", self.folder / "platform.key"


@attrs.frozen
class Prepared:
    """A configuration with its store filled, ready to run. import_s: how long the imports took."""

    config: Path
    port: int
    admin: int
    import_s: float


def make_certificates(folder: Path) -> Certificates:
    """A throw-away city PKI."""
    import json

    command = procs.python("certs", "city", folder, "--json")
    found = subprocess.run(command, check=True, capture_output=True, cwd=procs.ROOT)
    made = json.loads(found.stdout)
    rows = made if isinstance(made, list) else made["certificates"]
    (sha256,) = [row["sha256"] for row in rows if row["name"] == HOSPITAL]
    return Certificates(folder, sha256)


def write_config(folder: Path, target: int, certificates: Certificates | None) -> tuple[Path, int, int]:
    """Return (configuration file, institutions' port, admin port)."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    port, admin = free_port(), free_port()
    listen, tls, link_tls = f"tcp:{port}:interface=127.0.0.1", "", ""
    url, source = f"http://127.0.0.1:{target}", 'allow_from = ["127.0.0.1/32"]'
    if certificates is not None:
        at = certificates.folder
        listen = f"tls:{port}:interface=127.0.0.1"
        url, source = f"https://127.0.0.1:{target}", f'certificate_sha256 = ["{certificates.sha256}"]'
        files = f'certificate_file = "{at}/gateway.pem"\nkey_file = "{at}/gateway.key"'
        tls = f'\n[tls]\n{files}\nclient_ca_file = "{at}/ca.pem"\n'
        link_tls = f'tls = {{ca_file = "{at}/ca.pem"}}'
    named = ((HOSPITAL, "压力医院"), (PHARMACY, "压力药店"))
    text = _CONFIG.format(
        folder=folder.resolve(), listen=listen, admin=admin, tls=tls, link_tls=link_tls,
        url=f"{url}/fsi/api/rsfComIfsService/callService",
        institutions="".join(_INSTITUTION.format(code=code, name=name, source=source) for code, name in named),
    )  # fmt: skip
    config = folder / "gateway.toml"
    config.write_text(text, "utf-8")
    return config, port, admin


def commands(config: Path, files: Path) -> list[list[str]]:
    """The `liangding` commands that fill a store: every library, and every mapping for both institutions."""
    found = []
    for system, path in mapping.write_libraries(files / "libraries").items():
        found.append(["codes", "import", str(config), system, str(path), "--ver", "bench"])
    mappings = mapping.write_mappings(files / "mappings") | {"department": mapping.write_departments(files)}
    for institution in (HOSPITAL, PHARMACY):
        for system, path in mappings.items():
            people = ["--maker", "bench-maker", "--reviewer", "bench-reviewer"]
            found.append(["codes", "map", "import", str(config), institution, system, str(path), *people])
    return found


def liangding(arguments: Sequence[str]) -> None:
    """Run one command; exit code 3 (some rows refused) is as good as 0 here. Raises DidNotStart."""
    done = subprocess.run(
        procs.python("gateway", *arguments), capture_output=True, cwd=procs.ROOT, timeout=IMPORT_S, check=False
    )
    if done.returncode not in (0, 3):
        raise DidNotStart(f"liangding {' '.join(arguments[:4])}：{done.stderr.decode('utf-8', 'replace')[-400:]}")


def prepare(
    folder: Path, target: int, certificates: Certificates | None = None, like: Prepared | None = None
) -> Prepared:
    """Configuration and codes store. like: copy the codes of a node that was prepared before."""
    began = time.perf_counter()
    config, port, admin = write_config(folder, target, certificates)
    if like is None:
        for arguments in commands(config, folder / "codes"):
            liangding(arguments)
    else:
        for path in like.config.parent.glob("journal-codes.sqlite*"):
            shutil.copyfile(path, folder / path.name)
    return Prepared(config, port, admin, time.perf_counter() - began)


def start(name: str, one: Prepared, core: set[int]) -> Running:
    """Run the node until it listens."""
    command = procs.python("gateway", "run", one.config)
    return procs.start(name, command, one.port, core, one.config.parent)
