import { compatibleVersion, packageVersion } from '../base/version.ts';
import { environmentName } from './environment.ts';
import { defaultSearchPaths } from './load-config.ts';
import { rows } from './schema.ts';
import { wrapText } from './wrap-text.ts';

const options = `Usage: zerocast [options]
       zerocast probe [host[:port]] [options]
       zerocast hash-password
       zerocast token USER [--hours N] [options]
       zerocast doctor [--json] [options]: look for what is wrong, and say how to fix it
       zerocast clips list [--json] | add FILE... [--name NAME] [--replace] | remove NAME...
                      [options]: the library of sounds, also while the server runs
       zerocast make-certificate [NAME...] [--renew | --replace] [--self-signed] [--days N]
                      [options]: for HTTPS, by an authority of this machine's own

  -h, --help            Show this text; -hh adds every setting
  -v, --version         Show the version
  -c, --config FILE     Read FILE instead of ${defaultSearchPaths.join(' or ')}
  -d, --daemon[=PRIO]   Run in the background, as [server] user, with nice value PRIO (-20 to 19)
  -z, --zerocopy        Send audio without copying it into the kernel, where that is possible
  --SECTION.KEY=VALUE   Override a setting of the file, for example --stream.codec=opus;
                        repeatable keys are added to those of the file
  --stream.codec=NAME:? Show the options of a codec

Environment variables override the file too, for example ${environmentName('stream', 'codec')}=opus.
`;

/** The text of `--help`, and with `all` of `-hh`. */
export function usage(all: boolean): string {
  if (!all) return options;
  const settings = rows.map(({ section, key, setting }) => {
    const value = setting.parser.unit ? `VALUE (${setting.parser.unit})` : 'VALUE';
    const standard = [setting.default].flat().join(', ') || 'empty';
    const extra = setting.repeatable ? ' May be given several times.' : '';
    const text = `${setting.doc}${extra} Default: ${standard}.`;
    return `  --${section}.${key}=${value}\n${wrapText(text, { width: 96, indent: '        ' })}\n`;
  });
  return `${options}\nSettings:\n${settings.join('')}`;
}

/** The text of `--version`; `flac` names the library that encodes FLAC. */
export function versionText(flac: string): string {
  return `zerocast v${packageVersion}
compatible with snapserver v${compatibleVersion}
Licence: MIT. This is free software without any warranty.
FLAC encoder: ${flac}
`;
}
