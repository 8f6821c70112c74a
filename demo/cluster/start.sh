#!/usr/bin/env bash
# Starts a broker, two servers and HAProxy in front of them: `demo/cluster/start.sh [nats|redis]`. Needs only packages of Debian:
#   apt-get install nats-server redis-server haproxy
# Then talk to it from two terminals; Ctrl+C here ends everything.
#   npx tsx demo/client.ts ws://localhost:8080
# `kill -TERM` to one of the servers shows a deployment: its clients are told to connect again. This script starts it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
broker=${1:-nats}
work=$(mktemp -d)
processes=()

finish() {
  trap - EXIT INT TERM
  kill "${processes[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap finish EXIT INT TERM

# Starts a server, and again whenever it has ended. SIGTERM to the loop ends both.
serve() {
  local port=$1 child=
  trap '[ -n "$child" ] && kill "$child"; wait; exit' TERM
  while true; do
    PORT=$port node --import tsx demo/cluster/server.ts &
    child=$!
    echo "$port: process $child"
    wait "$child" || true
    sleep 1
  done
}

case $broker in
  nats)
    nats-server -js -sd "$work" -a 127.0.0.1 -p 4222 >"$work/broker.log" 2>&1 &
    processes+=($!)
    export NATS=4222
    ;;
  redis)
    redis-server --port 6379 --bind 127.0.0.1 --dir "$work" --appendonly yes >"$work/broker.log" 2>&1 &
    processes+=($!)
    export REDIS=6379
    ;;
  *)
    echo "usage: $0 [nats|redis]" >&2
    exit 2
    ;;
esac

serve 8081 &
processes+=($!)
serve 8082 &
processes+=($!)
haproxy -db -f demo/cluster/haproxy.cfg &
processes+=($!)
echo 'The cluster is at ws://localhost:8080'
wait -n "${processes[@]}"
