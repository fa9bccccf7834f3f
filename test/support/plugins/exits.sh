#!/bin/sh
echo 'ERROR: no player here' >&2
exit 3
