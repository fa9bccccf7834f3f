import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  type BenchServer,
  type Case,
  type CaseSetup,
  listFailures,
  runCases,
  wholeOf,
} from './run-cases.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';
import { checkTargets, describeTargets, missedOf, type Target } from './targets.ts';

/** What one case has found; absent: a server that does not tell. */
export type Figures<Figure extends string> = {
  readonly figures: Readonly<Record<Figure, number | undefined>>;
};

/** Medians over the rounds. */
export interface FigureRow<Figure extends string> extends Figures<Figure> {
  readonly clients: number;
  readonly format: string | undefined;
  readonly server: string;
  readonly key: string | undefined;
}

type FigureTarget<Figure extends string> = Omit<Target<FigureRow<Figure>>, 'value'> & {
  readonly figure: Figure;
};

interface FigureBench<Figure extends string> {
  readonly servers: readonly BenchServer[];
  readonly measure: (setup: CaseSetup) => Promise<Figures<Figure>>;
  readonly options: BenchOptions;
  readonly context: BenchContext;
  /** The head of each column, and which figures stand in it with how many digits. */
  readonly columns: Readonly<Record<string, readonly [figures: readonly Figure[], digits: number]>>;
  readonly targets: readonly FigureTarget<Figure>[];
}

function summarise<Figure extends string>(cases: readonly Case<Figures<Figure>>[]) {
  const nameOf = ({ clients, format, server }: Case<unknown>) => `${clients} ${format} ${server}`;
  return groupBy(wholeOf(cases), nameOf).map((group): FigureRow<Figure> => {
    const { clients, format, server, key, figures } = group[0]!;
    const names = Object.keys(figures) as Figure[];
    const medians = names.map((name) => [name, median(group.map((each) => each.figures[name]))]);
    return { clients, format, server, key, figures: Object.fromEntries(medians) };
  });
}

/** Measures servers by some figures each, shown in one table, and says which targets they miss. */
export async function reportFigures<Figure extends string>(
  bench: FigureBench<Figure>,
): Promise<BenchReport> {
  const { columns, targets, options } = bench;
  const cases = await runCases(bench);
  const rows = summarise<Figure>(cases);
  const results = checkTargets(
    options.isShort ? [] : rows,
    targets.map((target) => ({ ...target, value: ({ figures }) => figures[target.figure] })),
  );
  const body = rows.map(({ clients, format = '', server, figures }) => [
    String(clients),
    format,
    server,
    ...Object.values(columns).map(([names, digits]) =>
      names.map((name) => decimals(figures[name], digits)).join(' / '),
    ),
  ]);
  const table = markdownTable([['clients', 'format', 'server', ...Object.keys(columns)], ...body]);
  const text = [table, describeTargets(results)].join('\n\n').trimEnd();
  const failures = [...listFailures(cases), ...missedOf(results)];
  return { options, cases, rows, text, failures, path: 'loopback' };
}
