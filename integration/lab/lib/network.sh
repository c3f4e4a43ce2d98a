# shellcheck shell=bash
# The hosts' network: one bridge in a namespace of its own, one namespace a host.
#
#   refit-<lab>-sw   br0 10.77.0.1/24 ── veth ── eth0 10.77.0.11  refit-<lab>-db1
#                                     └─ veth ── eth0 10.77.0.12  refit-<lab>-db2
#
# Nothing of it is visible to the machine, so every lab can use the same addresses. `net` runs the machine's own
# programs there. A cut is a rule in the host's namespace: it outlives the host's reboot, as a pulled cable does.

netns() { echo "refit-$LAB_NAME-$1"; }
in_netns() { nsenter --net="/run/netns/$(netns "$1")" "${@:2}"; } # ip netns exec would hide the cgroup mounts

address() { echo "10.77.0.$((10 + $1))"; }

make_switch() {
  ip netns add "$(netns sw)"
  ip -n "$(netns sw)" link set lo up
  ip -n "$(netns sw)" link add br0 type bridge
  ip -n "$(netns sw)" addr add 10.77.0.1/24 dev br0
  ip -n "$(netns sw)" link set br0 up
}

# plug_in HOST ADDRESS
plug_in() {
  local ns
  ns=$(netns "$1")
  ip netns add "$ns"
  ip -n "$ns" link set lo up
  ip -n "$(netns sw)" link add "v-$1" type veth peer name eth0 netns "$ns"
  ip -n "$(netns sw)" link set "v-$1" master br0 up
  ip -n "$ns" addr add "$2/24" dev eth0
  ip -n "$ns" link set eth0 up
}

# link_cable HOST up|down: a host without power has no link either.
link_cable() { ip -n "$(netns sw)" link set "v-$1" "$2"; }

net() {
  need_args 1 $# "net COMMAND..."
  need_lab
  in_netns sw "$@"
}

cut_cable() {
  need_args 1 $# "cut HOST [HOST2]"
  need_host "$1"
  if [ $# = 1 ]; then
    echo all >>"$RUN/$1/cuts"
  else
    need_host "$2"
    host_ip "$2" >>"$RUN/$1/cuts"
  fi
  apply_cuts "$1"
}

heal_cable() {
  need_args 1 $# "heal HOST [HOST2]"
  need_host "$1"
  if [ $# = 1 ]; then
    : >"$RUN/$1/cuts"
  else
    need_host "$2"
    sed -i "/^$(host_ip "$2" | sed 's/\./\\./g')$/d" "$RUN/$1/cuts"
    # the same cut may have been made from the other end
    sed -i "/^$(host_ip "$1" | sed 's/\./\\./g')$/d" "$RUN/$2/cuts"
    apply_cuts "$2"
  fi
  apply_cuts "$1"
}

# apply_cuts HOST: packets vanish without an answer, in both directions.
apply_cuts() {
  local peers from to
  peers=$(sort -u "$RUN/$1/cuts" | paste -sd, -)
  case ,$peers, in
    ,,) in_netns "$1" nft delete table inet refit_lab 2>/dev/null || true && return ;;
    *,all,*) from="iif != lo" to="oif != lo" ;;
    *) from="ip saddr { $peers }" to="ip daddr { $peers }" ;;
  esac
  in_netns "$1" nft -f - <<RULES
table inet refit_lab
delete table inet refit_lab
table inet refit_lab {
  chain from { type filter hook input priority -300; policy accept; $from drop; }
  chain to { type filter hook output priority -300; policy accept; $to drop; }
}
RULES
}
