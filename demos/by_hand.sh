#!/usr/bin/env bash
# The README's run by hand, every command as the engineers of two organisations would type it.
#
#   demos/by_hand.sh [FOLDER]      keeps everything in FOLDER, which must not exist; else in a temporary folder
#
# ROWS=1280000 demos/by_hand.sh runs the size of the real case.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
[ -x "$repository/.venv/bin/psi" ] && PATH="$repository/.venv/bin:$PATH"
command -v psi >/dev/null || { echo "by_hand.sh: psi is not installed; run \`make dev\` first" >&2; exit 2; }
rows=${ROWS:-20000}

if [ $# -gt 0 ]; then mkdir "$1" && cd "$1"; else
  folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
fi
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf "$ %s\n" "$*" >&2; "$@"; }

say "1. Two files: here a synthetic case, whose truth is known"
run psi scenario case --requests "$rows" --records "$rows" --matches $((rows * 3 / 80)) --quiet

say "2. Each organisation makes its keys, and sends the other its card"
run psi id new --name "Requesting Agency" --identity keys/requester > requester.card
run psi id new --name "Record Office" --identity keys/holder > holder.card

say "3. Both agree on terms: a page that says what is compared, why, and who learns what"
run psi terms new --requester requester.card --holder holder.card \
  --purpose "Find the people on both lists" --authority "The agreement of 1 July" --out terms.toml
run psi terms check terms.toml --identity keys/requester

say "4. What will it take?"
run psi plan case/requests.csv --terms terms.toml --identity keys/requester --peer-rows "$rows" --link 100

say "5. The holder waits for one run, the requester joins"
run psi serve case/records.csv --terms terms.toml --identity keys/holder --out holder-run \
  --listen 127.0.0.1:"${PORT:-7766}" &
holder=$!
run psi join case/requests.csv --terms terms.toml --identity keys/requester --out requester-run \
  --connect 127.0.0.1:"${PORT:-7766}"
wait "$holder"

say "6. What each side has now"
ls requester-run holder-run
found=$(($(wc -l < requester-run/matched.csv) - 1))
truth=$(grep -c ",match," case/truth.csv)
printf 'rows of the requester that match: %s; people on both lists by the truth of the case: %s\n' "$found" "$truth"
