#!/usr/bin/env bash
# Plays the first case against a real Keycloak and a real relying party, and
# ends with 0 only if the case ended as fixed. Needs what `make systems`
# installs: Java, Maven, Node.js.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
pids=()
end() {
  status=$?
  [ $status = 0 ] || { echo "run.sh: ended with $status; usher serve said:"; cat "$work/serve.log" 2>/dev/null || true; } >&2
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
  if [ -n "${KC_PID:-}" ]; then
    eval "exec ${KC[1]}>&-" # kc stops Keycloak when its standard input ends
    wait "$KC_PID" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit $status
}
trap end EXIT

note() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

# Everything is built and started.
(cd "$repo" && go build -o "$work/bin/" ./cmd/usher ./test/systems/keycloak/kc)
[ -d "$repo/test/systems/node_modules/openid-client" ] || (cd "$repo/test/systems" && npm ci --silent --ignore-scripts)
PATH=$work/bin:$PATH
cd "$repo"
coproc KC { exec kc --log "$work/keycloak.log" --realm "$here/realm.json"; }
read -r keycloak <&"${KC[0]}"
read -r home <&"${KC[0]}"
cd "$work"

kcadm() { "$home/bin/kcadm.sh" "$@" --config "$work/kcadm.config"; }
# sign_in ADDRESS: Ann signs in at the shop from there; prints what came of it.
sign_in() {
  printf '{"issuer": "%s", "client": "shop", "secret": "the-secret-of-shop", "redirect": "https://shop.test/cb/", "user": "ann", "password": "ann'"'"'s password", "from": "%s"}\n' \
    "$keycloak/realms/shop" "$1" | node "$repo/test/systems/rp.mjs"
}

note "Ann can sign in at the shop."
sign_in 203.0.113.7

note "usher watches Keycloak's log (usher.yaml, with this Keycloak's address and log, and a free port)."
sed -e "s|http://127.0.0.1:8080|$keycloak|" -e "s|/var/log/keycloak.log|$work/keycloak.log|" "$here/usher.yaml" > usher.yaml
echo "listen: 127.0.0.1:0" >> usher.yaml # a free port: another usher may run here
export USHER_SHOP_SECRET=the-secret-of-usher NO_COLOR=1
run usher check usher.yaml
usher serve --config usher.yaml > serve.log 2>&1 &
pids+=($!)
until [ -S usher-data/usher.sock ]; do
  kill -0 "${pids[0]}" 2>/dev/null || exit 1
  sleep 0.1
done

note "An administrator edits the client. The slash is lost."
kcadm config credentials --server "$keycloak" --realm master --user admin --password admin >/dev/null 2>&1
id=$(kcadm get clients -r shop -q clientId=shop --fields id --format csv --noquotes)
kcadm update "clients/$id" -r shop -s 'redirectUris=["https://shop.test/cb"]'

note "People try to sign in."
for i in 1 2 3 4 5; do
  for from in 203.0.113.7 203.0.113.21 198.51.100.4; do
    [ "$i$from" = "5198.51.100.4" ] || sign_in "$from"
  done
done | sort | uniq -c

note "One case tells it all."
sleep 1
run usher cases
run usher cases show 1

note "The fix: usher shows what it would change, changes it, and waits for the proof."
usher cases fix 1 --yes --timeout 60s > fix.log 2>&1 &
fix=$!
for _ in $(seq 100); do
  kcadm get "clients/$id" -r shop --fields redirectUris --format csv --noquotes | grep -q 'cb/' && break
done
note "Ann comes back."
sign_in 203.0.113.7
status=0
wait $fix || status=$?
printf '$ usher cases fix 1 --yes\n'
cat fix.log
[ $status = 0 ]

note "The case is fixed, with the proof."
run usher cases show 1
usher cases show 1 --format json | node -e '
  const c = JSON.parse(require("fs").readFileSync(0));
  if (c.state !== "fixed" || !c.proven) { console.error(`the case is ${c.state}`); process.exit(1); }'
