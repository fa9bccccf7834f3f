import {
  allOthers,
  type MetaOptions,
  metaCircle,
  parseMetaOptions,
} from '../audio/meta-options.ts';
import { parseStreamUri, type StreamUri } from '../audio/stream-uri.ts';
import { SourceError } from '../base/errors.ts';
import { likelyWord } from '../base/nearest-word.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, warning } from './finding.ts';

/**
 * What a stream is made of, among the streams of the configuration.
 *
 * Failure: throws a `SourceError` when the address says nothing that can be used.
 */
export function checkMeta(
  uri: StreamUri,
  { config }: Pick<DoctorContext, 'config'>,
): readonly Finding[] {
  const findings: Finding[] = [];
  const meta = parseMetaOptions({
    uri,
    warn: (reason) => findings.push(warning(reason, 'leave it out, or correct it')),
  });
  const streams = new Map(
    config.stream.source.flatMap(usable).map((one) => [one.query.name ?? '', one]),
  );
  const own = uri.query.name ?? '';
  const circle = metaCircle(own, (name) => namesOf(name === own ? uri : streams.get(name)));
  if (circle) {
    const text = `it would contain itself: ${circle.join(' → ')}`;
    findings.push(fault(text, 'take one of these out of another one'));
  }
  return [...findings, ...missingOf(meta, [...streams.keys()], own)];
}

function missingOf(
  { names, missing }: MetaOptions,
  known: readonly string[],
  own: string,
): Finding[] {
  const others = known.filter((name) => name !== own);
  return names
    .filter((name) => name !== allOthers && !known.includes(name))
    .map((name) => {
      const likely = others.length > 0 ? likelyWord(name, others) : undefined;
      const text = `there is no stream "${name}" in the configuration`;
      const mend = likely ? `"${likely}" may be meant` : 'correct its name, or add it';
      if (missing === 'fail') return fault(text, mend);
      return warning(`${text}, so it is waited for`, mend);
    });
}

function usable(address: string): readonly StreamUri[] {
  try {
    return [parseStreamUri(address)];
  } catch (error) {
    if (error instanceof SourceError) return [];
    throw error;
  }
}

function namesOf(uri: StreamUri | undefined): readonly string[] | undefined {
  return uri?.scheme === 'meta' ? uri.path.split('/').filter(Boolean) : undefined;
}
