#!/bin/bash -l
#SBATCH --job-name=environment
#SBATCH --partition=gpu
#SBATCH --nodes=1
#SBATCH --gpus=4
#SBATCH --time=02:00:00
#SBATCH --output=environment-%j.out
# Build the environment of envs/gpu.txt in a folder on project storage, in a job of one GPU node:
# login nodes have no modules, and the job can try the GPUs. From the project's folder:
#
#   export MELUXINA_ACCOUNT=p200000
#   bash envs/build_gpu.sh /project/home/p200000/mimic-environment
#
# It submits itself; the same command again brings a folder up to date. Variables that it looks at:
#   MELUXINA_QOS  the QOS, short if unset; test ends jobs after half an hour, which the variable
#                 SBATCH_TIMELIMIT=00:30:00 of sbatch has to say too
#   MODULES       the modules to load, "env/release/2024.1 Python" if unset
#   PYTHON        the Python to take, python3 if unset
#   TORCH_INDEX   the index that torch comes from, PyPI if unset: there it is built with CUDA 13,
#                 which needs a driver of 580 or later
#   FLASH_ATTN    1 builds flash-attn as well; MODULES must then hold one with nvcc, of the major
#                 version of CUDA that torch was built with
set -euo pipefail

folder=$(realpath -m "${1:?name the folder of the environment: bash envs/build_gpu.sh FOLDER}")
if [ -z "${SLURM_JOB_ID:-}" ]; then
  if [ ! -f envs/gpu.txt ]; then
    echo "there is no envs/gpu.txt here; call it in the project's folder" >&2
    exit 2
  fi
  : "${MELUXINA_ACCOUNT:?it names the account that pays: export MELUXINA_ACCOUNT=p200000}"
  exec sbatch --account="$MELUXINA_ACCOUNT" --qos="${MELUXINA_QOS:-short}" \
    envs/build_gpu.sh "$folder"
fi

# The scripts behind `module` use variables that may be unset.
set +u
# shellcheck disable=SC2086
module load ${MODULES:-env/release/2024.1 Python}
set -u

"${PYTHON:-python3}" -c 'import sys; v = sys.version_info[:2]; sys.exit(
  None if (3, 11) <= v <= (3, 13) else "Mimic needs Python 3.11 to 3.13; this is %d.%d" % v)'
"${PYTHON:-python3}" -m venv "$folder"
# Jobs get the environment of the process that submits them, in which no module is loaded.
without_modules=(env -i "HOME=$HOME" PATH=/usr/bin:/bin "$folder/bin/python")
if ! "${without_modules[@]}" -c 'import ctypes, sqlite3, ssl'; then
  echo "this Python starts only where its modules are loaded, which jobs don't do. Name one that" \
    "is part of the system: MODULES=env/release/2024.1 PYTHON=/usr/bin/python3.11" \
    "bash envs/build_gpu.sh FOLDER, with another folder" >&2
  exit 1
fi
pip() { "$folder/bin/python" -m pip --no-cache-dir --disable-pip-version-check "$@"; }
if [ -n "${TORCH_INDEX:-}" ]; then
  pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' envs/cpu.txt)"
  # gpu.txt besides pins the CUDA of PyPI's torch, with which pip could bring that one back.
  pip install -r envs/cpu.txt
else
  pip install -r envs/gpu.txt
fi
pip install --no-deps -r envs/embedded.txt
pip install --no-deps --no-build-isolation --editable .
if [ "${FLASH_ATTN:-0}" = 1 ]; then
  pip install einops==0.8.2 ninja==1.13.2 wheel==0.48.0
  # A100 alone; for all kinds of GPU it takes hours.
  FLASH_ATTN_CUDA_ARCHS=80 MAX_JOBS=16 pip install --no-deps --no-build-isolation \
    flash-attn==2.8.3.post2
fi
pip freeze > "$folder/installed.txt"

nvidia-smi --query-gpu=name,driver_version --format=csv || true
"${without_modules[@]}" - <<'PYTHON'
import sys

import torch

from mimic.cluster.environment_findings import environment_findings

print(f"torch {torch.__version__}, built with CUDA {torch.version.cuda}")
if not torch.cuda.is_available():
    sys.exit(
        "torch can't use the GPUs here. Does the driver above suffice for that CUDA? CUDA 13 needs "
        "580 or later. For an older one build another folder with a torch for an older CUDA: "
        "TORCH_INDEX=https://download.pytorch.org/whl/cu126 bash envs/build_gpu.sh FOLDER"
    )
for number in range(torch.cuda.device_count()):
    ones = torch.ones(64, 64, device=f"cuda:{number}", dtype=torch.bfloat16)
    print(torch.cuda.get_device_name(number), "computes", (ones @ ones)[0, 0].item() == 64)
findings = list(environment_findings({}))
for one in findings:
    print(f"{one.what}: {one.state}; {one.found}")
sys.exit(any(one.state == "missing" for one in findings))
PYTHON
echo "done. On a login node: . $folder/bin/activate && mimic doctor"
