#!/bin/sh
# Never looks at its input, and notes the signal to end.
trap 'echo "a signal" >> "$1"; exit 1' TERM
echo '{"jsonrpc":"2.0","method":"Plugin.Stream.Player.Properties","params":{"canControl":true}}'
while :; do sleep 0.05; done
