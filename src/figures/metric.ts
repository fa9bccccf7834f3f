import { Counter, Gauge, type Registry } from 'prom-client';

/** One figure with its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A kind of figure, read anew whenever it is asked for. */
export interface Metric {
  /** `counter`: only grows while the server runs. */
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** None: there is nothing to tell yet. */
  readonly samples: () => Iterable<Sample> | Promise<Iterable<Sample>>;
}

export function addMetric(registry: Registry, metric: Metric): void {
  const { type, name, help, labels = [], samples } = metric;
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === 'gauge') {
    const gauge: Gauge = new Gauge({
      ...options,
      collect: async () => {
        const present = await samples();
        gauge.reset();
        // What has no labels would be 0 otherwise.
        if (labels.length === 0) gauge.remove();
        for (const sample of present) gauge.set(sample.labels ?? {}, sample.value);
      },
    });
  } else {
    const counter: Counter = new Counter({
      ...options,
      // What is counted elsewhere is shown as it stands.
      collect: async () => {
        const present = await samples();
        counter.reset();
        for (const sample of present) counter.inc(sample.labels ?? {}, sample.value);
      },
    });
  }
}
