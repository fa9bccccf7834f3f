/** A line of the hook is written at once up to this length, so that no two of them are mixed. */
const maxLineBytes = 4096;

/** What the hook passes on of the environment that librespot gives it. */
const passed = [
  ...['PLAYER_EVENT', 'TRACK_ID', 'URI', 'NAME', 'ARTISTS', 'ALBUM', 'ALBUM_ARTISTS', 'NUMBER'],
  ...['DISC_NUMBER', 'DURATION_MS', 'COVERS', 'SHOW_NAME', 'PUBLISH_TIME', 'POSITION_MS', 'VOLUME'],
  ...['SHUFFLE', 'REPEAT', 'REPEAT_TRACK'],
];

/** Names of the variables by which the hook learns where to write and what to call then. */
export const hookFifoVariable = 'ZEROCAST_EVENTS';
export const hookNextVariable = 'ZEROCAST_ONEVENT';

/**
 * Writes one event of librespot as one line of JSON, then runs the program of the user with it.
 * Values are halved until the line is short enough.
 */
export const librespotHook = `#!/bin/sh
[ -p "$${hookFifoVariable}" ] && LC_ALL=C awk 'BEGIN {
  count = split("${passed.join(' ')}", names, " ")
  for (most = 2048; ; most /= 2) {
    line = ""
    for (n = 1; n <= count; n++) if (names[n] in ENVIRON) {
      value = substr(ENVIRON[names[n]], 1, most); text = ""
      for (i = 1; i <= length(value); i++) {
        c = substr(value, i, 1)
        if (c == "\\\\" || c == "\\"") c = "\\\\" c
        else if (c == "\\n") c = "\\\\n"
        else if (c < " ") c = " "
        text = text c
      }
      line = line (line == "" ? "{" : ",") "\\"" names[n] "\\":\\"" text "\\""
    }
    if (length(line) < ${maxLineBytes - 2}) break
  }
  print line "}"
}' 1<>"$${hookFifoVariable}"
[ -n "$${hookNextVariable}" ] || exit 0
set -f
exec $${hookNextVariable}
`;
