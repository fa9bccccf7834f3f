import { arch, platform, release } from 'node:os';
import { packageVersion } from '../base/version.ts';
import { isInContainer } from './container.ts';
import type { SystemContext } from './context.ts';
import { type Check, type Finding, fault, note, ok } from './finding.ts';

const oldestNode = [20, 19] as const;

/** Versions, and where this runs. */
export function systemCheck(
  { files }: SystemContext,
  nodeVersion: string = process.versions.node,
): Check {
  return {
    name: 'system',
    run: () => [
      ok(`zerocast ${packageVersion} on ${platform()} ${release()}, ${arch()}`),
      nodeFinding(nodeVersion),
      ...platformFindings(),
      ...(isInContainer(files) ? [note('this runs in a container')] : []),
    ],
  };
}

function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  const oldest = oldestNode.join('.');
  if (!isOld) return ok(`Node.js ${version}`);
  return fault(`Node.js ${version} is older than ${oldest}`, `install Node.js ${oldest} or newer`);
}

function platformFindings(): readonly Finding[] {
  if (platform() === 'linux') return [];
  return [note(`on ${platform()} audio is sent by JavaScript, and fifos may be missing`)];
}
