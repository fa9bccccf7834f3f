import type { SyncTexts } from './sync-en.ts';

export const syncDe: SyncTexts = {
  summary: 'Kurz gesagt',
  surroundings: 'Server und Streams',
  looking: 'Sieht nach…',
  refused: 'Deine Rolle darf das nicht sehen.',
  empty: 'Kein Player ist verbunden',
  allGood: 'Alles in Ordnung',
  notAllGood: (count) =>
    count === 1 ? '1 Player hat eine Störung' : `${count} Player haben eine Störung`,
  counts: {
    good: (count) => `${count} gut`,
    watch: (count) => `${count} zu beobachten`,
    bad: (count) => `${count} schlecht`,
  },
  culprits: {
    nobody: 'gut',
    source: 'Quelle',
    server: 'Server',
    network: 'Netz',
    player: 'Player',
    unclear: 'unklar',
  },
  good: 'Nichts ist auffällig.',
  gone: 'Dieser Player ist nicht mehr verbunden.',
  thisBrowser: 'dieser Browser',
  notMeasured: 'hier nicht gemessen',
  notKnownYet: 'noch nicht bekannt',
  noTcpFacts:
    'Hin und zurück, was noch unterwegs ist und was noch einmal gesandt wurde, wird hier nicht gemessen: Das braucht Linux und das native Addon.',
  server: 'Server',
  serverFacts: (delay, percent) => `längste Verzögerung ${delay} · ${percent} % eines Prozessors`,
  streamFacts: (age, percent) => `fertig nach ${age} · Codieren ${percent} %`,
  breaks: (count) => `${count} Abbrüche in 10 s`,
  error: 'Abweichung',
  roundTrip: 'Hin und zurück',
  queue: 'Noch unterwegs',
  resent: 'Noch einmal gesandt',
  drift: 'Seine Uhr geht vor um',
  skipped: 'Übersprungen in 10 s',
  jumps: 'Sprünge und Lücken',
  short: {
    error: (time) => `${time} Abweichung`,
    roundTrip: (time) => `${time} hin und zurück`,
    queue: (time) => `${time} unterwegs`,
    resent: (count) => `${count}/s noch einmal`,
    drift: (ppm) => `${ppm} ppm`,
    skipped: (count) => `${count} übersprungen`,
  },
  events: 'Was geschehen ist',
  noEvents: 'Noch nichts',
  span: 'Wie weit zurück',
  minutes: (count) => (count === 1 ? '1 Minute' : `${count} Minuten`),
  sides: {
    source: 'Quelle',
    server: 'Server',
    network: 'Netz',
    player: 'Player',
    house: 'Änderung',
  },
  reasons: {
    streamBroken: {
      says: 'Der Stream ist gestört.',
      advice: 'Das Log sagt, warum; auf der Seite Streams lässt er sich ändern.',
    },
    sourceLate: {
      says: (count) => `Seine Quelle kam zu spät, ${count}× in 10 s.`,
      advice:
        'Sieh nach dem Programm, das den Stream speist, und wie beschäftigt sein Rechner ist.',
    },
    sourceSilent: {
      says: (count) => `Seine Quelle verstummte, ${count}× in 10 s.`,
      advice: 'Falls sie nicht pausiert wurde: Sieh nach dem Programm, das den Stream speist.',
    },
    sourceFast: {
      says: (count) => `Seine Quelle sandte zu viel, ${count}× in 10 s.`,
      advice: 'Das Programm, das den Stream speist, läuft schneller als die Zeit.',
    },
    serverStalled: {
      says: (time) => `Dieser Server stand ${time} lang still.`,
      advice: 'Sieh nach, was sonst auf seinem Rechner läuft, und ob er geschlafen hat.',
    },
    serverLate: {
      says: (time) => `Dieser Server ließ andere ${time} lang warten.`,
      advice: 'Sein Rechner ist beschäftigt: weniger Streams oder ein einfacherer Codec.',
    },
    serverBroke: {
      says: (count) => `Dieser Server kam zu spät, ${count}× in 10 s.`,
      advice: 'Sieh nach, was sonst auf seinem Rechner läuft.',
    },
    encoderDropped: {
      says: (count) => `Der Encoder war für ${count} Stücke zu langsam.`,
      advice: 'Wähle einen einfacheren Codec, oder pcm.',
    },
    encoderSlow: {
      says: (share) => `Codieren braucht ${share} eines Prozessors.`,
      advice: 'Wähle einen einfacheren Codec, oder pcm.',
    },
    unacknowledged: {
      says: (time) => `Sein Gerät hat seit ${time} nichts bestätigt.`,
      advice: 'Es ist nicht zu erreichen: Sieh nach WLAN oder Kabel und nach dem Strom.',
    },
    resent: {
      says: (count) => `${count} Pakete in der Sekunde mussten noch einmal gesandt werden.`,
      advice: 'Stell es näher an den Access Point, oder nimm ein Kabel oder einen anderen Kanal.',
    },
    longWay: {
      says: (time) => `Hin und zurück dauert ${time}.`,
      advice: 'Etwas anderes füllt das Netz, oder das WLAN ist schwach.',
    },
    narrow: {
      says: (time) => `Was ihm gesandt wird, braucht ${time} bis zu ihm.`,
      advice: 'Sein Netz ist zu langsam für diesen Stream: ein sparsamerer Codec oder ein Kabel.',
    },
    notReading: {
      says: (share) => `Er hatte ${share} der Zeit keinen Platz.`,
      advice: 'Der Player liest nicht: Starte ihn neu, und sieh nach seiner Soundkarte.',
    },
    silent: {
      says: (time) => `Er sagt seit ${time} nichts.`,
      advice: 'Antwortet sein Gerät, starte den Player neu.',
    },
    reconnects: {
      says: (count) => `Er hat sich ${count}× in einer Minute verbunden.`,
      advice: 'Er startet immer wieder neu: Sein eigenes Log sagt, warum.',
    },
    drift: {
      says: (ppm) => `Seine Uhr geht um ${ppm} ppm falsch.`,
      advice: 'Er spielt trotzdem, hat aber viel auszugleichen: Sieh nach seinem Zeitdienst.',
    },
    ownError: {
      says: (time) => `Dieser Browser weicht um ${time} ab.`,
      advice: 'Ein anderer Tab beschäftigt ihn; Kopfhörer ohne Kabel sind spät.',
    },
    ownJumps: {
      says: (count) => `Der Ton musste springen, ${count}× in 10 s.`,
      advice: 'Sein Browser oder Gerät ist beschäftigt.',
    },
    skipped: {
      says: (count) => `${count} Stücke waren zu alt, um gesandt zu werden.`,
      advice: 'Ein längerer Puffer hilft gegen kurze Störungen.',
    },
    waiting: {
      says: (time) => `Er nimmt seit ${time} nicht, was für ihn ist.`,
      advice: 'Er liest zu langsam, oder sein Netz ist zu langsam.',
    },
  },
  happened: {
    streamAdded: (stream) => `${stream} kam dazu`,
    streamRemoved: (stream) => `${stream} wurde entfernt`,
    streamPlays: (stream) => `${stream} spielt`,
    streamIdle: (stream) => `${stream} ist still`,
    streamBroken: (stream, _value, text) => `${stream} ist gestört: ${text}`,
    sourceLate: (stream, time) => `Die Quelle von ${stream} kam ${time} zu spät`,
    sourceSilent: (stream) => `Nichts kam aus der Quelle von ${stream}`,
    sourceFast: (stream, time) => `Die Quelle von ${stream} war ${time} voraus`,
    serverStalled: (time) => `Der Server stand ${time} lang still`,
    serverSuspended: (time) => `Der Server war ${time} lang angehalten`,
    serverLate: (time) => `Der Server ließ andere ${time} lang warten`,
    serverBroke: (stream, time) => `Der Server las ${stream} ${time} zu spät`,
    clockSet: (time) => `Die Uhr des Servers wurde um ${time} gestellt`,
    encoderDropped: (stream, count) => `Der Encoder von ${stream} verwarf ${count} Stücke`,
    resent: (name, count) => `${name}: ${count} Pakete in einer Sekunde noch einmal gesandt`,
    joined: (name) => `${name} ist gekommen`,
    left: (name, _value, text) => `${name} ist gegangen: ${text}`,
    silent: (name) => `${name} sagt nichts mehr`,
    skipped: (name, count) => `${name}: ${count} Stücke übersprungen`,
    waiting: (name, time) => `${name} nimmt seit ${time} nichts`,
    groupStream: (name, _value, text) => `${name}: ein anderer Stream, ${text}`,
    announcement: (text) => `Durchsage: ${text}`,
  },
};
