/** Inputs of the planner for tests: colours that can be told apart, plain words, widths by estimate. */
import { estimate } from './graphics'
import type { PlanInput } from './option'
import type { Tokens } from './tokens'
import { decodeFrame, type SeriesFrame } from '@/data/frame'
import { writeFrame, type WrittenFrame } from '@/data/frame-writing'
import type { Run } from '@/wire'

export const tokens: Tokens = {
  ground: '#ffffff',
  ink: '#111111',
  ink2: '#222222',
  ink3: '#333333',
  edge: '#444444',
  grid: '#555555',
  failed: '#ff0000',
  evaluation: '#cc5500',
  font: 'sans-serif',
  metric: (name) => (name === 'eval_loss' ? '#cc5500' : '#0068ad'),
}

export function series(frame: WrittenFrame, name?: string): SeriesFrame {
  const all = decodeFrame(writeFrame(frame)).series
  return all.find((one) => one.name === name) ?? all[0]!
}

export function run(number: number, over: Partial<Run> = {}): Run {
  return {
    id: `run-${number}`,
    number,
    status: 'stopped',
    records: 3,
    first_sequence: 0,
    last_sequence: 2,
    first_step: 10,
    last_step: 30,
    total_steps: null,
    started: 0,
    ended: null,
    message: null,
    changes: [],
    unresponsive: false,
    controls: [],
    controls_at: 'step',
    phase: null,
    no_controls: null,
    ...over,
  }
}

export function input(over: Partial<PlanInput> & { series: SeriesFrame }): PlanInput {
  return {
    evaluations: null,
    runs: [],
    checkpoints: [],
    findings: [],
    size: 'main',
    width: 700,
    height: 400,
    axis: 'sequence',
    view: { first: over.series.from, last: over.series.to - 1 },
    zoomed: false,
    fit: true,
    logarithmic: false,
    withChanges: true,
    tokens,
    words: {
      run: (n) => `Run ${n}`,
      resumed: (step) => `from checkpoint ${step}`,
      ended: (one) => `stopped at ${one.last_step}`,
      best: 'Best',
      unit: 'step',
    },
    language: 'en',
    measure: estimate,
    previous: null,
    ...over,
  }
}
