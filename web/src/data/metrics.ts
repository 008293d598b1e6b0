/**
 * What the page knows of each metric by name: its colour, unit, form and ideal trend.
 *
 * A metric that no one named here gets its chart too: its colour is chosen by its name, so it is the same everywhere and
 * on every day.
 */

/** Where a metric should go: "schedule" follows the scheduler, "steady" stays where it is. */
export type Ideal = 'down' | 'steady' | 'schedule'

/** How a value is written: see figures.ts. */
export type Form = 'fixed' | 'significant' | 'exponent' | 'speed'

export interface MetricKind {
  name: string
  /** Name of the CSS token that holds its colour, without the dashes. */
  token: string
  unit: string | null
  form: Form
  ideal: Ideal | null
  /** Few, separate values: drawn as circles on a thin line, never smoothed. */
  sparse: boolean
  /** False where averaging would only falsify: a learning rate is what it is. */
  smoothed: boolean
  /** Its axis begins at zero. */
  fromZero: boolean
  /** The first stretch of a run towers over the rest: left out of the range that fits the data. */
  steepStart: boolean
}

const plain = { unit: null, form: 'fixed', ideal: null, sparse: false, smoothed: true, fromZero: false } as const

const KNOWN: Record<string, MetricKind> = {
  loss: { ...plain, name: 'loss', token: 's-loss', ideal: 'down', steepStart: true },
  perplexity: { ...plain, name: 'perplexity', token: 's-ppl', form: 'significant', ideal: 'down', steepStart: true },
  grad_norm: { ...plain, name: 'grad_norm', token: 's-grad', ideal: 'steady', steepStart: true },
  learning_rate: {
    ...plain,
    name: 'learning_rate',
    token: 's-lr',
    form: 'exponent',
    ideal: 'schedule',
    smoothed: false,
    fromZero: true,
    steepStart: false,
  },
  eval_loss: {
    ...plain,
    name: 'eval_loss',
    token: 's-eval',
    ideal: 'down',
    sparse: true,
    smoothed: false,
    steepStart: false,
  },
  samples_per_second: {
    ...plain,
    name: 'samples_per_second',
    token: 's-speed',
    unit: 'SPL/s',
    form: 'speed',
    ideal: 'steady',
    steepStart: false,
  },
}

const FURTHER_TOKENS = ['s-loss', 's-ppl', 's-grad', 's-speed', 's-lr', 's-eval']

export const MAIN_METRICS = ['loss', 'perplexity'] as const
export const OTHER_METRICS = ['grad_norm', 'learning_rate', 'eval_loss', 'samples_per_second'] as const
/** What the main charts and the strip above them are made of, live or not. */
export const STRIP_METRICS = [...MAIN_METRICS, 'eval_loss', 'learning_rate', 'samples_per_second'] as const
/** The order in which the charts stand, and the rows of the joint tooltip with them. */
export const METRIC_ORDER: readonly string[] = [...MAIN_METRICS, ...OTHER_METRICS]

export function metricKind(name: string): MetricKind {
  const known = KNOWN[name]
  if (known) return known
  // GPU and system figures: what is used of something.
  const fromZero = /^(gpu\.\d+|process|system|disk)\.\w+$/.test(name)
  const sparse = name.startsWith('eval_') || name.startsWith('eval/')
  let hash = 0
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) >>> 0
  const token = sparse ? 's-eval' : FURTHER_TOKENS[hash % FURTHER_TOKENS.length]!
  const form = fromZero ? 'speed' : 'significant'
  return { ...plain, name, token, form, sparse, smoothed: !sparse, fromZero, steepStart: false }
}
