import { loggedInUser } from '../control/login.ts';
import { language } from '../settings.ts';
import { moreTexts } from '../text/more-texts.ts';
import { type Health, health, healthFault, lookAtHealth, type PortName } from './health.ts';

const portNames: readonly PortName[] = ['streaming', 'control', 'http', 'https'];

/** How the server is. */
export function HealthCard() {
  const words = moreTexts.value;
  const known = health.value;
  const fault = healthFault.value;
  return (
    <section class="card">
      <div class="line">
        <h2>{words.server}</h2>
        <button type="button" onClick={() => void lookAtHealth()}>
          {words.again}
        </button>
      </div>
      {fault !== '' && <p role="status">{words.away(fault)}</p>}
      {!known && fault === '' && <p class="hint">{words.looking}</p>}
      {known && (
        <>
          <Facts known={known} />
          {known.checks.length > 0 && <Checks known={known} />}
          <Controllers known={known} />
          <Warnings known={known} />
        </>
      )}
    </section>
  );
}

interface KnownHealth {
  readonly known: Health;
}

function Facts({ known }: KnownHealth) {
  const words = moreTexts.value;
  const { facts } = words;
  const { version, node, host, ports, encoders, addon, counts, limits } = known;
  const count = (name: keyof typeof counts) =>
    words.countOf(numberText(counts[name]), numberText(limits[name]));
  const rows: readonly (readonly [string, string])[] = [
    [facts.version, `Zerocast ${version}, Node.js ${node.replace(/^v/, '')}`],
    [facts.host, `${host.name}, ${host.os}, ${host.arch}`],
    [facts.uptime, durationText(known.uptimeSeconds)],
    [facts.ports, portsText(ports)],
    [facts.players, count('players')],
    [facts.clients, count('clients')],
    [facts.controllers, count('controllers')],
    [facts.streams, count('streams')],
    [facts.flac, encoders.flac.name],
    [facts.addon, addon.isLoaded ? words.addonLoaded : words.addonMissing(addon.reason ?? '')],
    [facts.certificate, certificateText(known)],
  ];
  return (
    <dl>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function portsText(ports: Health['ports']): string {
  const { port } = moreTexts.value;
  return portNames
    .filter((name) => ports[name] > 0)
    .map((name) => `${ports[name]} ${port[name]}`)
    .join(', ');
}

function certificateText({ certificate }: Health): string {
  const words = moreTexts.value;
  if (!certificate) return words.noCertificate;
  const { validTo, names } = certificate;
  const day = new Intl.DateTimeFormat(language.value, { dateStyle: 'medium' }).format(validTo);
  const text = validTo > Date.now() ? words.certificateEnds(day) : words.certificateEnded(day);
  return `${text}: ${names.join(', ')}`;
}

function Checks({ known: { checks } }: KnownHealth) {
  const words = moreTexts.value;
  const findings = checks.flatMap((check) => check.findings);
  const faulty = findings.filter(({ level }) => level === 'warning' || level === 'fault').length;
  return (
    <details open={faulty > 0}>
      <summary>
        {words.checks}: {faulty === 0 ? words.allWell : words.faulty(numberText(faulty))}
      </summary>
      <ul class="findings">
        {findings.map(({ level, text, mend }) => (
          <li key={text}>
            <span class={`mark ${level}`}>{words.levels[level]}</span>
            <span>
              {text}
              {mend !== undefined && <span class="hint">{mend}</span>}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Controllers({ known: { controllers, counts } }: KnownHealth) {
  const words = moreTexts.value;
  return (
    <details>
      <summary>{words.connections(numberText(counts.controllers))}</summary>
      <ul class="findings">
        {controllers.map(({ address, transport, user }, index) => (
          // Nothing tells two of the same machine apart.
          <li key={`${index} ${address}`}>
            <span>{address}</span>
            <span class="hint">{[transport, user].filter(Boolean).join(', ')}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Warnings({ known: { warnings } }: KnownHealth) {
  const words = moreTexts.value;
  if (!warnings) return loggedInUser.value ? <p class="hint">{words.noLog}</p> : null;
  if (warnings.length === 0) return <p class="hint">{words.noWarnings}</p>;
  const format = new Intl.DateTimeFormat(language.value, {
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return (
    <details>
      <summary>{words.warnings(numberText(warnings.length))}</summary>
      <ul class="findings">
        {warnings.toReversed().map(({ time, text }, index) => (
          <li key={`${warnings.length - index} ${time}`}>
            <time class="hint" dateTime={time}>
              {format.format(Date.parse(time))}
            </time>
            <span>{text}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function numberText(value: number): string {
  return new Intl.NumberFormat(language.value).format(value);
}

const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

/** The two largest units of it. */
function durationText(seconds: number): string {
  const first = Math.max(
    0,
    units.findIndex(([, length]) => seconds >= length),
  );
  let rest = seconds;
  const parts = units.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return new Intl.NumberFormat(language.value, {
      style: 'unit',
      unit,
      unitDisplay: 'long',
    }).format(count);
  });
  return parts.join(', ');
}
