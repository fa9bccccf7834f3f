#!/bin/sh
echo '{"jsonrpc":"2.0","method":"Plugin.Stream.Player.Properties","params":{"canControl":true}}'
exec sleep 60
