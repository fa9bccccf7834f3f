import { packageVersion } from '../base/version.ts';
import type { Answer } from './answer.ts';

/** Snapweb is a project of its own, which no package of Debian contains. */
export const snapwebReleases = 'https://github.com/snapcast/snapweb/releases';

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Zerocast</title>
<style>
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif }
  code { background: #8882; padding: 0 .25em }
</style>
<h1>Zerocast runs here</h1>
<p>This is version ${packageVersion}. It has no web pages to serve yet. To get a player and remote control
in the browser, install the Debian package of <a href="${snapwebReleases}">Snapweb</a>, or unpack its
<code>snapweb.zip</code>, name the folder in the configuration, and have the server read that again, by the
signal <code>SIGHUP</code> or the method <code>Server.ReloadConfig</code>:</p>
<pre><code>[http]
doc_root = /usr/share/snapweb</code></pre>
<p>On this port:</p>
<ul>
<li><code>/jsonrpc</code> control, by WebSocket or POST
<li><code>/stream</code> audio, by WebSocket
<li><a href="healthz"><code>/healthz</code></a> whether the server runs
<li><a href="metrics"><code>/metrics</code></a> figures for Prometheus
</ul>
<p>Snapclients connect to the port of <code>[tcp-streaming]</code>, usually 1704, and controllers to
that of <code>[tcp-control]</code>, usually 1705.</p>
</html>
`;

/** What a browser sees while there are no web pages: that the server runs, and what to do. */
export const welcomePage: Answer = {
  body: html,
  type: 'text/html; charset=utf-8',
  headers: {
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  },
};
