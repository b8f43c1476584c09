#!/usr/bin/env bash
# Write envs/gpu.txt: what the CUDA build of torch needs besides cpu.txt, as pip resolves it on PyPI
# for Linux x86_64 with the versions of cpu.txt. A recent pip reads what packages need from a few kB
# of each; nothing is installed. From the project's folder: bash envs/lock_gpu.sh
set -euo pipefail
report=$(mktemp)
trap 'rm -f "$report"' EXIT
# PyPI alone, whatever is set here: another index may have a CPU build of the same version.
PIP_CONFIG_FILE=/dev/null ${PYTHON:-python3} -m pip --isolated install --dry-run --quiet \
  --ignore-installed --use-feature=fast-deps --only-binary :all: \
  --constraint envs/cpu.txt --report "$report" "$(grep '^torch==' envs/cpu.txt)"
${PYTHON:-python3} - "$report" > envs/gpu.txt <<'PYTHON'
import json
import re
import sys
from pathlib import Path


def plain(name):
    return re.sub("[-_.]+", "-", name).lower()


locked = {plain(line.split("==")[0]) for line in Path("envs/cpu.txt").read_text().split("\n")}
needed = [one["metadata"] for one in json.loads(Path(sys.argv[1]).read_text())["install"]]
print("# Everything that a study needs on Linux machines (x86_64) with NVIDIA GPUs: the versions of")
print("# cpu.txt, and what PyPI's build of torch takes of CUDA. Written by envs/lock_gpu.sh.")
print("-r cpu.txt")
for one in sorted(needed, key=lambda one: plain(one["name"])):
    if plain(one["name"]) not in locked:
        print(f"{one['name']}=={one['version']}")
PYTHON
