"""Has accelerate take CPUs for devices that share a model, which by itself it takes only GPUs for.

Python imports this module at its start where its folder stands in PYTHONPATH. What follows from it
(the wrapping, the gathering, the checkpoints) is all accelerate's, PyTorch's and the project's own.
"""

import os
from unittest import mock

if "RANK" in os.environ:
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"

    import bitsandbytes.nn.modules
    import torch
    from accelerate.state import DistributedType, PartialState
    from accelerate.utils import dataclasses
    from torch.distributed.fsdp import _init_utils

    # Kernels of some CPUs want the whole 4-bit weight in an order of their own.
    bitsandbytes.nn.modules.has_avx512bf16 = lambda: False

    def backend(*_: object, **__: object) -> tuple[str, DistributedType]:
        """What it is for GPUs, but for what the processes speak by."""
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("gloo")
        return "gloo", DistributedType.MULTI_GPU

    PartialState._prepare_backend = backend
    # FSDP1 sends weights from the first process by NCCL, which has none of a CPU's; gloo has.
    _init_utils._check_module_states_for_sync_module_states = lambda _states: None
    make_plugin = dataclasses.FullyShardedDataParallelPlugin.__post_init__

    def on_the_cpu(plugin: dataclasses.FullyShardedDataParallelPlugin) -> None:
        """Make the plugin while there seems to be a GPU, called cpu."""
        with (
            mock.patch.object(dataclasses, "is_cuda_available", return_value=True),
            mock.patch.object(torch.cuda, "current_device", return_value=torch.device("cpu")),
        ):
            make_plugin(plugin)

    dataclasses.FullyShardedDataParallelPlugin.__post_init__ = on_the_cpu
