import { freePort } from './server-process.mjs';

function describeCase({ clients, server, format }) {
  return [`${clients} clients`, format, server].filter((part) => part !== undefined).join(', ');
}

/** A case that fails is a result too: it is reported, and the others still run. */
async function runCase({ server, clients, measure, options, context }) {
  const result = { clients, server: server.name, ...server.about };
  let running;
  try {
    const port = await freePort();
    running = await server.start({ ...context, port });
    Object.assign(result, await measure({ running, port, server, clients, options, context }));
  } catch (error) {
    result.failure = error.message;
  }
  try {
    await running?.stop();
  } catch (error) {
    result.failure ??= error.message;
  }
  return result;
}

/**
 * Runs each case in a process of its own, the servers in turn, so that a drift of the machine hits
 * what is measured and what it is compared to.
 *
 * Shape: a server has a `name` and `start`; what it says `about` itself becomes part of its cases.
 */
export async function runCases({ servers, measure, options, context }) {
  const cases = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const clients of options.clients) {
      for (const server of servers) {
        const name = describeCase({ clients, server: server.name, ...server.about });
        context.progress(`round ${round}/${options.rounds}, ${name}`);
        cases.push(await runCase({ server, clients, measure, options, context }));
      }
    }
  }
  return cases;
}

export function listFailures(cases) {
  return cases
    .filter(({ failure }) => failure !== undefined)
    .map((each) => `${describeCase(each)}: ${each.failure}`);
}
