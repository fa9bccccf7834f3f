#!/bin/sh
# Writes what is no message, then something that is.
printf '\377\376\n\n  \n{\n[1,2]\nnull\n"text"\n{"id":99,"result":"ok"}\n{"id":[[1]],"result":1}\n'
printf '{"jsonrpc":"2.0","method":["x"]}\n{"jsonrpc":"2.0","id":1,"method":"Server.GetStatus"}\n'
printf '{"method":"Plugin.Stream.Log"}\n{"method":"Plugin.Stream.Player.Properties","params":7}\n'
printf '{"method":"Plugin.Stream.Player.Properties","params":{"canControl":true}}\r\n'
exec sleep 60
