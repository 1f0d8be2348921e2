#!/usr/bin/env bash
# The same run between two hosts with a network between them, on one Linux machine; needs root and iproute2.
#
# Two network namespaces, joined by a virtual cable, are two hosts to everything that runs in them. What went over the
# cable is read from its counters: that is all that a wiretap could have, and it is sealed by TLS.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
[ -x "$repository/.venv/bin/psi" ] && PATH="$repository/.venv/bin:$PATH"
command -v psi >/dev/null || { echo "two_hosts.sh: psi is not installed; run \`make dev\` first" >&2; exit 2; }
command -v ip >/dev/null || { echo "two_hosts.sh: iproute2 is not installed" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "two_hosts.sh: only root may make network namespaces" >&2; exit 2; }
rows=${ROWS:-20000}

agency=psi-agency-$$ office=psi-office-$$
folder=$(mktemp -d)
cleanup() {
  ip netns delete "$agency" 2>/dev/null || true
  ip netns delete "$office" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

ip netns add "$agency"
ip netns add "$office"
ip link add agency0 netns "$agency" type veth peer name office0 netns "$office"
ip -n "$agency" address add 10.77.66.1/30 dev agency0
ip -n "$office" address add 10.77.66.2/30 dev office0
ip -n "$agency" link set agency0 up
ip -n "$office" link set office0 up

psi scenario case --requests "$rows" --records "$rows" --matches $((rows * 3 / 80)) --quiet
ip netns exec "$office" psi serve case/records.csv --terms case/terms.toml --identity case/holder.identity \
  --out office-run --listen 10.77.66.2:7766 --quiet &
ip netns exec "$agency" psi join case/requests.csv --terms case/terms.toml --identity case/requester.identity \
  --out agency-run --connect 10.77.66.2:7766 --quiet
wait

sent=$(ip netns exec "$agency" cat /sys/class/net/agency0/statistics/tx_bytes)
received=$(ip netns exec "$agency" cat /sys/class/net/agency0/statistics/rx_bytes)
printf 'the agency found %s of its rows; its cable carried %s bytes out and %s bytes in\n' \
  $(($(wc -l < agency-run/matched.csv) - 1)) "$sent" "$received"
printf 'the request list itself has %s bytes, and the records have %s\n' \
  "$(stat -c %s case/requests.csv)" "$(stat -c %s case/records.csv)"
