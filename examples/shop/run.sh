#!/usr/bin/env bash
# Plays the shop: first by hand, with usher serve, a provider (usher lab) and
# curl; then the whole day of it, with usher and without. Ends with 0 only if no
# payment failed with usher, none was taken twice, some failed without, and the
# case says why. Needs Go, curl and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$(mktemp -d /tmp/shop.XXXXXX) # short: the path of a socket has its bounds
pids=()
end() {
  status=$?
  [ $status = 0 ] || { echo "run.sh: ended with $status; usher serve said:"; cat "$work/serve.log" 2>/dev/null || true; } >&2
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
  exit $status
}
trap end EXIT

note() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
until_ok() { # what, command
  for _ in $(seq 300); do "${@:2}" >/dev/null 2>&1 && return; sleep 0.1; done
  echo "run.sh: waited for $1" >&2
  return 1
}

if [ -z "${USHER:-}" ]; then
  (cd "$repo" && go build -o "$work/bin/usher" ./cmd/usher)
  USHER=$work/bin/usher
fi
usher() { "$USHER" "$@"; }
export NO_COLOR=1
cd "$work"

note "A provider with an API, which fails as one says: usher lab."
"$USHER" lab --listen 127.0.0.1:0 --format json > lab.json 2> lab.log &
pids+=($!)
until_ok "usher lab" test -s lab.json
base=$(sed 's/.*"base":"\([^"]*\)".*/\1/' lab.json)
curl -sf "$base/lab/clients/shop" | sed 's/.*"value":"\([^"]*\)".*/\1/' > secret.txt
chmod 600 secret.txt

note "usher, with a broker (usher.yaml, here with free ports)."
{ echo "listen: 127.0.0.1:0"; sed 's|127.0.0.1:5305|127.0.0.1:0|' "$here/usher.yaml"; } > usher.yaml
run usher check usher.yaml
"$USHER" serve --config usher.yaml > serve.out 2> serve.log &
pids+=($!)
until_ok "usher serve" test -S usher-data/usher.sock
until_ok "the egress proxy" grep -q 'egress proxy listens' serve.log
egress=$(sed -n 's/.*egress proxy listens.*address=//p' serve.log | tr -d '"')

note "A connection, and a key for the checkout service that may use it and nothing else."
run usher connections add shop-gateway --issuer "$base/realms/shop" --client-id shop --secret-file secret.txt \
  --grant client_credentials --scope orders --policy payments --target "$base"
until_ok "the first token" sh -c "\"$USHER\" connections | grep -q ' alive '"
key=$(usher connections key checkout shop-gateway 2>/dev/null)

note "The service asks the API by usher, which puts the token in."
api=http://$egress/egress/shop-gateway/${base/:\/\//\/}/api/orders
# ask URL: status and what usher did, never the token.
ask() { curl -s -o body -D head -w '%{http_code}\n' -H "Usher-Key: $key" "$@"; tr -d '\r' < head | grep -i '^usher-' || true; }
[ "$(ask "$api" | tee /dev/stderr)" = 200 ]

note "Every token is refused as expired: usher gets another one, and sends the request once more."
curl -sf -X PUT "$base/lab/faults/token-expired" > /dev/null
run usher connections renew shop-gateway > /dev/null
ask "$api" | tee answer
grep -qx 200 answer
grep -qi '^usher-replayed: 1' answer
curl -sf -X DELETE "$base/lab/faults/token-expired" > /dev/null

note "A target that nobody allowed gets nothing."
ask "http://$egress/egress/shop-gateway/https/example.org/" | tee answer
grep -qx 403 answer
cat body

note "Nothing of it is in clear on the disk or in a log."
if grep -rlF -e "$(cat secret.txt)" -e "$key" usher-data serve.log serve.out head body; then
  echo "run.sh: a secret lies in the clear" >&2
  exit 1
fi

note "The shop's day, compressed: 200 orders a second, with usher and without."
run usher demo --story shop --fast --format json --listen 127.0.0.1:0 > shop.json
# What must have come true is decided by the exit status; these lines are for people.
sed -n '1,12p' shop.json
grep -o -m 1 '"cause": "token-expired"' shop.json
