"""Devices that a study can run on, and what they do of what they could.

Rates that are sold (peaks, bandwidths) are from the makers' data sheets. What is reached of them
was fitted to published measurements, which `mimic.plan.published` holds and compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["a100-40", "h200", "cpu"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU, or the CPU of a laptop.

    Attributes
    ----------
    memory_bytes
        What may be planned for.
    matrix_flops
        Operations a second that a large matrix product reaches, in 16 bits on a GPU.
    memory_rate
        Bytes a second from and to its memory.
    link_rate
        Bytes a second that a collective operation moves between two of them.
    host_rate
        Bytes a second from the host's memory.
    block_seconds
        Least time of one pass through one block: kernels that have to be started.
    context_bytes
        What a process takes before any tensor.
    communication_bytes
        Buffers for operations with other devices.
    allocator_gaps
        Share of what comes and goes that the allocator can't use.
    """

    kind: Kind
    title: str
    memory_bytes: float
    matrix_flops: float
    memory_rate: float
    link_rate: float
    host_rate: float
    block_seconds: float
    context_bytes: float
    communication_bytes: float
    allocator_gaps: float


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of several equal GPUs, allocated whole.

    Attributes
    ----------
    network_rate
        Bytes a second that each GPU exchanges with those of other nodes.
    """

    device: Device
    gpus: int
    network_rate: float


# NVIDIA's data sheet of the A100: 312·10¹² operations a second in bfloat16, 1.555·10¹² bytes a
# second (40 GB), NVLink 300·10⁹ in each direction. Of 40,960 MiB the driver leaves 39.4 GiB, which
# is 42.3·10⁹ bytes; 40·10⁹ may be planned for.
#
# Matrix products reach 0.75 of the peak, collectives 100·10⁹ bytes a second, a block of small
# batches takes 1.2 ms: fitted to Qwen's table of LoRA (mimic.plan.published).
A100_40 = Device(
    kind="a100-40",
    title="A100 40 GB",
    memory_bytes=40e9,
    matrix_flops=0.75 * 312e12,
    memory_rate=1.555e12,
    link_rate=100e9,
    host_rate=20e9,
    block_seconds=1.2e-3,
    context_bytes=0.5e9,
    communication_bytes=0.6e9,
    allocator_gaps=0.10,
)
# NVIDIA's data sheet of the H200: 989·10¹² operations a second, 4.8·10¹² bytes a second, 141 GB.
# Matrix products at the share that makes 4 × H100, which computes alike, take the published 667 s.
H200 = Device(
    kind="h200",
    title="H200",
    memory_bytes=141e9,
    matrix_flops=0.45 * 989e12,
    memory_rate=4.8e12,
    link_rate=150e9,
    host_rate=40e9,
    block_seconds=1.0e-3,
    context_bytes=0.6e9,
    communication_bytes=0.6e9,
    allocator_gaps=0.10,
)
# A node of MeluXina's GPU module: 4 × A100 40 GB, two InfiniBand HDR links of 200 Gbit/s.
MELUXINA = Node(device=A100_40, gpus=4, network_rate=12.5e9)


def laptop(*, threads: int) -> Device:
    """The CPU of a laptop, as one of the threads that share it.

    A process with its libraries takes 0.65·10⁹ bytes. Memory that was freed is kept for the next
    step (`mimic.provenance.process`), in pieces that don't all fit: 0.38 of what comes and goes.
    Both were fitted to what ``tests/bench/plan.py`` measures.
    """
    return Device(
        kind="cpu",
        title=f"CPU, {threads} thread{'' if threads == 1 else 's'}",
        memory_bytes=16e9,
        matrix_flops=45e9 * threads,
        memory_rate=15e9,
        link_rate=1e9,
        host_rate=1e9,
        block_seconds=6e-3,
        context_bytes=0.65e9,
        communication_bytes=0.0,
        allocator_gaps=0.38,
    )


def node_of(kind: Kind, *, threads: int) -> Node:
    """The machine that a kind of device is planned in.

    Parameters
    ----------
    threads
        Of a job on a CPU.
    """
    if kind == "a100-40":
        return MELUXINA
    device = H200 if kind == "h200" else laptop(threads=threads)
    return Node(device=device, gpus=1, network_rate=1e9)
