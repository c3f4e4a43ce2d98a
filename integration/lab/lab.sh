#!/bin/bash
# The lab: real Debian hosts with a real systemd, apt and mysqld, on one machine. See README.md beside this file.
#
# This file owns the command line and where things live. What a command does is in lib/, one idea a file:
#   common  paths, messages, bounded waits        host     make, boot, enter, stop and crash a host
#   deps    packages that the machine needs       network  the switch, addresses, cutting and healing cables
#   clock   a wall clock of each host's own
#   mirror  where Debian comes from               volume   what must survive a power loss
#   repo    packages in several versions          group    my.cnf and the replication group
#   build   the cached root filesystem            replication  sources and replicas
#                                                 down     removing every trace
set -euo pipefail

LAB_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
for part in common deps mirror repo build fixtures network volume clock host group replication down; do
  # shellcheck source=/dev/null
  . "$LAB_SRC/lib/$part.sh"
done

usage() {
  cat <<'USAGE'
usage: lab.sh COMMAND [ARGUMENTS]        (as root, on Debian 12 or newer)

prepare
  deps                       install the packages that the lab needs
  build [--fixtures]         make the cached root filesystem and package repository (--fixtures: and old data directories)
  fixtures                   get data directories of real older servers, and print where they are
  versions                   the MySQL packages that the hosts can install, by role:
                             newest older oldest previous-series broken

hosts
  up N [OPTIONS]             boot N hosts: db1..dbN; from four on the last one is ctl, which has no mysqld
       --names a,b,ctl         name them yourself (a name that begins with ctl is a host without mysqld)
       --prefix NAME           call the database hosts NAME1, NAME2 ... instead of db1, db2 ...
       --version V             preinstall this package version, or the version of this role (default: older)
       --data btrfs|xfs|ext4   file system under the data directory (default: btrfs)
       --data-size SIZE        its size (default: 6G, sparse)
       --disk ram|file         where all that the hosts write is kept (default: ram; 200 to 800 MB a host)
       --own-clock on          every host has a wall clock of its own, for `clock` (default: off)
       --bind-ro SRC:DST       show a directory of this machine to every host (may be repeated)
  group bootstrap [--multi-primary] [HOST...]
                             form a group of these hosts (default: every database host), single-primary if not said otherwise
  replication bootstrap REPLICA:SOURCE[,SOURCE...]...
                             asynchronous replication in any shape: db2:db1 db3:db2 is a chain, db3:db1,db2 a replica of two
                             sources, with a channel named after each; who replicates from nobody takes writes
  standalone HOST            make a host's mysqld a server of its own: no group, no replication
  status                     hosts, their mysqld and their membership
  exec HOST COMMAND...       run a command in a host
  shell HOST                 an interactive shell in a host
  put HOST SRC DST           copy a file or a directory of this machine into a host: it becomes DST
  get HOST SRC DST           copy a file or a directory of a host to this machine: it becomes DST
  ip HOST                    a host's address
  net COMMAND...             run a command of this machine on the hosts' network
  app-password               where the password of the application account refit_app is

faults
  halt HOST                  orderly power-off
  boot HOST [--no-wait]      power on again, same disks
  crash HOST                 power loss: everything in the host dies at once, and writes that never reached
                             the disk of its data volume are lost
  cut HOST [HOST2]           drop all traffic of a host, or only that between the two
  heal HOST [HOST2]          undo it
  clock HOST SECONDS         its wall clock is that far ahead of this machine's, at once (negative: behind)
  slow HOST IOPS             its volume does no more reads, and no more writes, a second than this; `slow HOST off` undoes it

remove
  down                       remove every trace of this lab: processes, mounts, loop devices, namespaces, cgroups
  clean                      down for every lab, and remove the caches too

environment
  LAB_NAME   several labs can stand side by side under different names (default: lab)
  LAB_DIR    where everything is kept (default: .lab in the project)
  LAB_MIRROR the Debian mirror to take sid from (default: the one that this machine's apt uses)
USAGE
}

main() {
  local command=${1:-help}
  shift || true
  case $command in
    help | -h | --help) usage ;;
    deps) as_root && deps ;;
    build) as_root && build "$@" ;;
    fixtures) as_root && fixtures ;;
    versions) versions ;;
    up) as_root && up "$@" ;;
    group) as_root && group "$@" ;;
    replication) as_root && replication "$@" ;;
    standalone) as_root && need_args 1 "$#" "standalone HOST" && standalone "$1" ;;
    status) as_root && status ;;
    exec) as_root && enter "$@" ;;
    shell) as_root && host_shell "$@" ;;
    put) as_root && put "$@" ;;
    get) as_root && get "$@" ;;
    ip) need_args 1 "$#" "ip HOST" && host_ip "$1" ;;
    net) as_root && net "$@" ;;
    app-password) echo "$RUN/app.password" ;;
    halt) as_root && need_args 1 "$#" "halt HOST" && halt "$1" ;;
    boot) as_root && boot_again "$@" ;;
    crash) as_root && need_args 1 "$#" "crash HOST" && crash "$1" ;;
    cut) as_root && cut_cable "$@" ;;
    heal) as_root && heal_cable "$@" ;;
    clock) as_root && need_args 2 "$#" "clock HOST SECONDS" && clock "$1" "$2" ;;
    slow) as_root && need_args 2 "$#" "slow HOST IOPS|off" && slow_volume "$1" "$2" ;;
    down) as_root && down ;;
    clean) as_root && clean ;;
    *) usage >&2 && exit 2 ;;
  esac
}

main "$@"
