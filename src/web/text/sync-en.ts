/** What the place Sync says, loaded with it; the other languages have the same. */
export const syncEn = {
  summary: 'In short',
  surroundings: 'Server and streams',
  looking: 'Looking…',
  refused: 'Your role may not see this.',
  empty: 'No player is connected',
  allGood: 'All is well',
  notAllGood: (count: number) =>
    count === 1 ? '1 player has a fault' : `${count} players have a fault`,
  counts: {
    good: (count: number) => `${count} good`,
    watch: (count: number) => `${count} to watch`,
    bad: (count: number) => `${count} bad`,
  },
  culprits: {
    nobody: 'good',
    source: 'source',
    server: 'server',
    network: 'network',
    player: 'player',
    unclear: 'unclear',
  },
  good: 'Nothing is wrong with it.',
  gone: 'This player is not connected any more.',
  thisBrowser: 'this browser',
  notMeasured: 'not measured here',
  notKnownYet: 'not known yet',
  noTcpFacts:
    'Round trip, what is still on its way and what was sent again are not measured here: that needs Linux and the native addon.',
  server: 'Server',
  serverFacts: (delay: string, percent: number) =>
    `longest delay ${delay} · ${percent} % of a processor`,
  streamFacts: (age: string, percent: string) => `ready after ${age} · encoding ${percent} %`,
  breaks: (count: number) => `${count} breaks in 10 s`,
  error: 'Off by',
  roundTrip: 'Round trip',
  queue: 'Still on its way',
  resent: 'Sent again',
  drift: 'Its clock is fast by',
  skipped: 'Skipped in 10 s',
  jumps: 'Jumps and gaps',
  short: {
    error: (time: string) => `${time} off`,
    roundTrip: (time: string) => `${time} there and back`,
    queue: (time: string) => `${time} on its way`,
    resent: (count: string) => `${count}/s again`,
    drift: (ppm: string) => `${ppm} ppm`,
    skipped: (count: number) => `${count} skipped`,
  },
  events: 'What has happened',
  noEvents: 'Nothing yet',
  span: 'How far back',
  minutes: (count: number) => (count === 1 ? '1 minute' : `${count} minutes`),
  sides: {
    source: 'source',
    server: 'server',
    network: 'network',
    player: 'player',
    house: 'changes',
  },
  reasons: {
    streamBroken: {
      says: 'The stream is broken.',
      advice: 'The log says why; on the page Streams it can be changed.',
    },
    sourceLate: {
      says: (count: string) => `Its source came too late, ${count}× in 10 s.`,
      advice: 'Look at the program that feeds the stream, and at how busy its machine is.',
    },
    sourceSilent: {
      says: (count: string) => `Its source fell silent, ${count}× in 10 s.`,
      advice: 'If it was not paused: look at the program that feeds the stream.',
    },
    sourceFast: {
      says: (count: string) => `Its source sent too much, ${count}× in 10 s.`,
      advice: 'The program that feeds the stream runs faster than real time.',
    },
    serverStalled: {
      says: (time: string) => `This server stood still for ${time}.`,
      advice: 'Look at what else runs on its machine, and whether it slept.',
    },
    serverLate: {
      says: (time: string) => `This server kept others waiting for ${time}.`,
      advice: 'Its machine is busy: fewer streams, or a cheaper codec.',
    },
    serverBroke: {
      says: (count: string) => `This server came too late, ${count}× in 10 s.`,
      advice: 'Look at what else runs on its machine.',
    },
    encoderDropped: {
      says: (count: string) => `The encoder was too slow for ${count} chunks.`,
      advice: 'Choose a cheaper codec, or pcm.',
    },
    encoderSlow: {
      says: (share: string) => `Encoding takes ${share} of a processor.`,
      advice: 'Choose a cheaper codec, or pcm.',
    },
    unacknowledged: {
      says: (time: string) => `Its device has acknowledged nothing for ${time}.`,
      advice: 'It is out of reach: look at its Wi-Fi or cable, and at its power.',
    },
    resent: {
      says: (count: string) => `${count} packets a second were sent again.`,
      advice: 'Bring it nearer to its access point, or use a cable or another channel.',
    },
    longWay: {
      says: (time: string) => `There and back takes ${time}.`,
      advice: 'Something else fills the network, or the Wi-Fi is weak.',
    },
    narrow: {
      says: (time: string) => `What is sent to it takes ${time} to arrive.`,
      advice: 'Its network is too slow for this stream: a codec that needs less, or a cable.',
    },
    notReading: {
      says: (share: string) => `It had no room for ${share} of the time.`,
      advice: 'The player does not read: restart it, and look at its sound card.',
    },
    silent: {
      says: (time: string) => `It has said nothing for ${time}.`,
      advice: 'If its device answers, restart the player.',
    },
    reconnects: {
      says: (count: string) => `It has connected ${count}× in a minute.`,
      advice: 'It restarts again and again: its own log says why.',
    },
    drift: {
      says: (ppm: string) => `Its clock is off by ${ppm} ppm.`,
      advice: 'It plays all the same, but has much to correct: look at its time service.',
    },
    ownError: {
      says: (time: string) => `This browser plays ${time} off.`,
      advice: 'Another tab may keep it busy; headphones without a wire are late.',
    },
    ownJumps: {
      says: (count: string) => `The sound had to jump, ${count}× in 10 s.`,
      advice: 'Its browser or device is busy.',
    },
    skipped: {
      says: (count: string) => `${count} chunks were too old to be sent.`,
      advice: 'A longer buffer helps against short disturbances.',
    },
    waiting: {
      says: (time: string) => `It has not taken what is for it for ${time}.`,
      advice: 'It reads too slowly, or its network is too slow.',
    },
  },
  happened: {
    streamAdded: (stream: string) => `${stream} was added`,
    streamRemoved: (stream: string) => `${stream} was removed`,
    streamPlays: (stream: string) => `${stream} plays`,
    streamIdle: (stream: string) => `${stream} is silent`,
    streamBroken: (stream: string, _value: string, text: string) => `${stream} is broken: ${text}`,
    sourceLate: (stream: string, time: string) => `The source of ${stream} was ${time} late`,
    sourceSilent: (stream: string) => `Nothing came from the source of ${stream}`,
    sourceFast: (stream: string, time: string) => `The source of ${stream} was ${time} ahead`,
    serverStalled: (time: string) => `The server stood still for ${time}`,
    serverSuspended: (time: string) => `The server was suspended for ${time}`,
    serverLate: (time: string) => `The server kept others waiting for ${time}`,
    serverBroke: (stream: string, time: string) => `The server read ${stream} ${time} too late`,
    clockSet: (time: string) => `The clock of the server was set by ${time}`,
    encoderDropped: (stream: string, count: string) =>
      `The encoder of ${stream} dropped ${count} chunks`,
    resent: (name: string, count: string) => `${name}: ${count} packets sent again within a second`,
    joined: (name: string) => `${name} has come`,
    left: (name: string, _value: string, text: string) => `${name} has gone: ${text}`,
    silent: (name: string) => `${name} says nothing any more`,
    skipped: (name: string, count: string) => `${name}: ${count} chunks skipped`,
    waiting: (name: string, time: string) => `${name} has taken nothing for ${time}`,
    groupStream: (name: string, _value: string, text: string) => `${name}: another stream, ${text}`,
    announcement: (text: string) => `Announcement: ${text}`,
  },
};

export type SyncTexts = typeof syncEn;
