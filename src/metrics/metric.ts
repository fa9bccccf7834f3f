import { Counter, Gauge, type Registry } from 'prom-client';

/** One figure with its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A kind of figure, read anew whenever somebody asks. */
export interface Metric {
  /** `counter`: only grows while the server runs. */
  readonly type: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly samples: () => Iterable<Sample>;
}

export function addMetric(registry: Registry, metric: Metric): void {
  const { type, name, help, labels = [], samples } = metric;
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === 'gauge') {
    const gauge: Gauge = new Gauge({
      ...options,
      collect: () => {
        gauge.reset();
        for (const sample of samples()) gauge.set(sample.labels ?? {}, sample.value);
      },
    });
  } else {
    const counter: Counter = new Counter({
      ...options,
      // What is counted elsewhere is shown as it stands.
      collect: () => {
        counter.reset();
        for (const sample of samples()) counter.inc(sample.labels ?? {}, sample.value);
      },
    });
  }
}
