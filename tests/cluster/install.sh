#!/usr/bin/env bash
# Install what the cluster tests start: Slurm, munge and MariaDB, on Debian or Ubuntu, as root.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurmdbd slurm-client munge \
  slurm-wlm-basic-plugins slurm-wlm-mysql-plugin mariadb-server
