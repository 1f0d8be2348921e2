"""
One party of SecretFlow SPU's PSI, in a process of the peers' own environment; nothing of this project is imported.

The first line of standard input says what to do, the second one when to begin. The link between the parties is that of
the package (brpc, without TLS).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Run one party and print what it took."""
    given = json.loads(sys.stdin.readline())
    import spu.libspu as libspu
    import spu.psi as psi

    libspu.logging.setup_logging(silent())
    settings = {
        "rr22": psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_RR22, rr22_params=psi.Rr22Rarams(low_comm_mode=False)
        ),
        "rr22-low-communication": psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_RR22, rr22_params=psi.Rr22Rarams(low_comm_mode=True)
        ),
        "kkrt": psi.PsiProtocolConfig(protocol=psi.PsiProtocol.PROTOCOL_KKRT),
        "ecdh-fourq": psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_ECDH,
            ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_FOURQ),
        ),
        "ecdh-25519": psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_ECDH,
            ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        ),
    }[given["protocol"]]
    settings.receiver_rank, settings.broadcast_result = 0, True
    settings.bucket_size = given["bucket"]
    config = psi.PsiExecuteConfig(
        protocol_conf=settings,
        input_params=psi.InputParams(path=given["file"], selected_keys=["key"], keys_unique=True),
        output_params=psi.OutputParams(path=given["out"], disable_alignment=True),
    )
    description = libspu.link.Desc()
    for rank, port in enumerate(given["ports"]):
        description.add_party(f"party{rank}", f"127.0.0.1:{port}")
    description.recv_timeout_ms = 3_600_000
    show({"ready": True})
    sys.stdin.readline()
    began_s, began_cpu_s = time.monotonic(), cpu_s()
    context = libspu.link.create_brpc(description, given["rank"])
    report = psi.psi_execute(config, context)
    ended_s = time.monotonic()
    show(
        {
            "began_s": began_s,
            "ended_s": ended_s,
            "cpu_s": cpu_s() - began_cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
            "count": report.intersection_count,
        }
    )
    context.stop_link()


def silent() -> Any:
    """Return settings that keep the package from writing to the standard output."""
    import spu.libspu as libspu

    options = libspu.logging.LogOptions()
    options.enable_console_logger = False
    options.system_log_path = os.devnull
    return options


def cpu_s() -> float:
    """Return the processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_bytes() -> int:
    """Return the largest resident set of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(record: dict[str, Any]) -> None:
    """Write a JSON line for the process that started this one."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
