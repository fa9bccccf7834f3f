#!/bin/sh
# Does not want to end, and has started something that does not either.
trap '' TERM
echo '{"jsonrpc":"2.0","method":"Plugin.Stream.Log","params":{"message":"'$$'"}}'
sleep 60 &
while :; do sleep 0.1; done
