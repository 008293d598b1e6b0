// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { planChart, type Plan, type PlanInput } from './option'
import { input, run, series } from './plan-input'
import { writtenRun } from '@/data/frame-writing'
import type { SeriesFrame } from '@/data/frame'

const plan = (over: Partial<PlanInput> & { series: SeriesFrame }): Plan => planChart(input(over))!
const texts = (of: Plan): string[] => of.option.graphic!.elements.flatMap((one) => (one.style.text as string) ?? [])

const falling = (count: number, from = 4) => Array.from({ length: count }, (_, at) => from * 0.99 ** at)

/** The manual's own example: trained to step 30, started over, to step 40. */
const accumulated = () => {
  const one = writtenRun(1, 1, [3, 2.5, 2.2])
  const two = writtenRun(2, 5, [3, 2.4, 2, 1.8])
  return series({ from: 0, to: 9, series: { loss: [one, two] } })
}
const runs = [
  run(1, { first_sequence: 0, last_sequence: 3 }),
  run(2, {
    status: 'running',
    first_sequence: 4,
    last_sequence: 8,
    last_step: 40,
    changes: [{ name: 'learning_rate', before: '0.0002', after: '0.0001' }],
  }),
]

describe('the axis as it happened', () => {
  it('tells the steps, starting over at each run', () => {
    const { ticks } = plan({ series: accumulated(), runs })
    expect(ticks.map((tick) => tick.label)).toEqual(['0', '10', '20', '30', '0', '10', '20', '30', '40'])
    expect(ticks.map((tick) => tick.x)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('separates the runs and says what changed', () => {
    const drawn = plan({ series: accumulated(), runs })
    expect(texts(drawn)).toEqual(expect.arrayContaining(['Run 1', 'Run 2', 'lr 2e-4 → 1e-4']))
    const rules = drawn.option.graphic!.elements.filter((one) => one.type === 'line')
    expect(rules).toHaveLength(1)
    const { left, right } = drawn.geometry
    expect(rules[0]!.shape!.x1).toBeCloseTo(left + (3.5 / 8) * (right - left), -1)
  })

  it('leaves out what changed before it leaves out the run', () => {
    expect(texts(plan({ series: accumulated(), runs, width: 260 }))).not.toContain('lr 2e-4 → 1e-4')
    expect(texts(plan({ series: accumulated(), runs, width: 260 }))).toContain('Run 2')
  })

  it('draws a raw and a smoothed line for each run, flat', () => {
    const { curves } = plan({ series: accumulated(), runs })
    expect(curves).toHaveLength(4)
    expect([...curves[0]!.data]).toEqual([1, 3, 2, 2.5, 3, 2.2])
  })
})

describe('many runs', () => {
  const many = (count: number, points: number) => {
    const lines = Array.from({ length: count }, (_, at) => writtenRun(at + 1, at * points, falling(points)))
    return {
      series: series({ from: 0, to: count * points, series: { loss: lines } }),
      runs: lines.map(({ run: number }) => {
        const first = (number - 1) * points
        const changes = number === 1 ? [] : [{ name: 'learning_rate', before: '0.0002', after: '0.0001' }]
        return run(number, { first_sequence: first, last_sequence: first + points - 1, changes })
      }),
    }
  }
  const above = (of: Plan) => of.option.graphic!.elements.filter((one) => one.y === of.geometry.top - 14)

  it('are all told, by their numbers where their names have no room', () => {
    const labels = above(plan(many(12, 20))).map((one) => one.style.text)
    expect(labels.reverse()).toEqual(Array.from({ length: 12 }, (_, at) => String(at + 1)))
  })

  it('keep their names where most have room, and the change where there is room for it', () => {
    const labels = above(plan({ ...many(3, 20), width: 1000 })).map((one) => one.style.text)
    expect(labels.reverse()).toEqual(['Run 1', 'lr 2e-4 → 1e-4', 'Run 2', 'lr 2e-4 → 1e-4', 'Run 3'])
  })

  it('give way to newer ones where numbers too have no room, and never lie over each other', () => {
    const drawn = plan(many(100, 3))
    const labels = above(drawn)
    expect(labels[0]!.style.text).toBe('100')
    expect(labels.length).toBeGreaterThan(15)
    labels.slice(1).forEach((one, at) => {
      expect(one.x! + 7 * String(one.style.text).length).toBeLessThan(labels[at]!.x!)
    })
  })
})

describe('by step', () => {
  const byStep = () => {
    const one = { ...writtenRun(1, 1, [3, 2.5, 2.2]), supersededFrom: 20 }
    return series({ axis: 'step', from: 0, to: 9, series: { loss: [one, writtenRun(2, 5, [3, 2.4, 2, 1.8])] } })
  }

  it('lays the runs over each other, each in a shade of its own, the newest strongest', () => {
    const drawn = plan({ series: byStep(), runs, axis: 'step', view: { first: 0, last: 40 } })
    const colors = new Set(drawn.curves.map((one) => one.color))
    expect(colors.size).toBe(2)
    expect(colors).toContain('#0068ad')
    expect(drawn.ticks.map((tick) => tick.label)).toEqual(['0', '5', '10', '15', '20', '25', '30', '35', '40'])
    expect(texts(drawn)).toEqual(expect.arrayContaining(['Run 1', 'stopped at 30']))
  })

  it('fades the part that a later run went over again', () => {
    const drawn = plan({ series: byStep(), runs, axis: 'step', view: { first: 0, last: 40 } })
    const strong = drawn.curves.filter((one) => one.z >= 4 && one.z < 5)
    expect(strong.map((one) => one.opacity)).toEqual([1, 0.5, 1])
    expect([...strong[1]!.data].filter((_, at) => at % 2 === 0)).toEqual([20, 30])
  })
})

describe('many runs by step', () => {
  it('have names where these lie over no other, the newest first', () => {
    const lines = Array.from({ length: 12 }, (_, at) => writtenRun(at + 1, at * 20, falling(20)))
    const drawn = plan({
      series: series({ axis: 'step', from: 0, to: 240, series: { loss: lines } }),
      runs: lines.map(({ run: number }) => run(number, { status: 'completed' })),
      axis: 'step',
      view: { first: 0, last: 400 },
    })
    const names = drawn.option.graphic!.elements.filter((one) => String(one.style.text).startsWith('Run '))
    expect(names.length).toBeGreaterThanOrEqual(2)
    expect(names[0]!.style.text).toBe('Run 11')
    const width = 7 * 'Run 11'.length
    for (const one of names) {
      const near = names.filter(({ x, y }) => Math.abs(x! - one.x!) < width && Math.abs(y! - one.y!) < 16)
      expect(near).toEqual([one])
    }
  })
})

describe('values at the ends', () => {
  it('stand in their lines’ colours, apart from each other', () => {
    const both = { loss: [writtenRun(1, 0, falling(100))], eval_loss: [writtenRun(1, 99, [1.48])] }
    const frame = { from: 0, to: 100, series: both }
    const drawn = plan({ series: series(frame, 'loss'), evaluations: series(frame, 'eval_loss') })
    const ends = drawn.option.graphic!.elements.filter((one) => one.x === drawn.geometry.right + 8 && one.y! < 370)
    expect(ends.map((one) => one.style.text)).toEqual(['1.479', '1.480'])
    expect(ends.map((one) => one.style.fill)).toEqual(['#0068ad', '#cc5500'])
    expect(Math.abs(ends[0]!.y! - ends[1]!.y!)).toBeGreaterThanOrEqual(16.9)
  })

  it('are left out where the newest point is not in view', () => {
    const one = series({ from: 0, to: 100, series: { loss: [writtenRun(1, 0, falling(100))] } })
    expect(texts(plan({ series: one, view: { first: 0, last: 50 }, zoomed: true }))).not.toContain('1.479')
  })

  it('are the raw line’s where the smoothed one has left the picture', () => {
    const values = Array.from({ length: 100 }, () => 8)
    const line = { ...writtenRun(1, 0, values), smooth: values.map((value, at) => (at < 60 ? value : 5e5)) }
    const drawn = plan({ series: series({ from: 0, to: 100, series: { perplexity: [line] } }) })
    expect(texts(drawn)).toContain('8.000')
    expect(drawn.marks.filter((one) => one.symbol === 'circle').map((one) => one.y)).toEqual([8])
    const strong = drawn.curves.filter((one) => one.z === 3)
    expect(strong.map(({ data, opacity }) => [data[0], data.at(-2), opacity])).toEqual([[60, 99, 1]])
  })

  it('have room, however wide', () => {
    const rates = series({ from: 0, to: 3, series: { learning_rate: [writtenRun(1, 0, [1e-4, 1.1e-4, 1.1623e-4])] } })
    const drawn = plan({ series: rates, size: 'small', width: 300, height: 150 })
    expect(texts(drawn)).toContain('1.16e-4')
    expect(drawn.geometry.right + 8 + 7 * 7).toBeLessThanOrEqual(300)
  })
})

describe('marks', () => {
  it('name the best evaluation and draw circles for all', () => {
    const both = { loss: [writtenRun(1, 0, falling(50))], eval_loss: [writtenRun(1, 10, [3.5, 2.9, 3.2])] }
    const frame = { from: 0, to: 50, series: both }
    const drawn = plan({ series: series(frame, 'loss'), evaluations: series(frame, 'eval_loss') })
    expect(texts(drawn)).toContain('Best 2.900')
    expect(drawn.hasEvaluations).toBe(true)
  })

  it('leave the best unnamed where it is the newest, whose value stands at the end', () => {
    const both = { loss: [writtenRun(1, 0, falling(50))], eval_loss: [writtenRun(1, 10, [3.5, 3.2, 2.9])] }
    const frame = { from: 0, to: 50, series: both }
    const drawn = plan({ series: series(frame, 'loss'), evaluations: series(frame, 'eval_loss') })
    expect(texts(drawn)).toContain('2.900')
    expect(texts(drawn)).not.toContain('Best 2.900')
  })

  it('stand on the axis for checkpoints, on the loss alone', () => {
    const checkpoints = [{ sequence: 5, run: 1, step: 60, time: 0, path: null, bytes: null, secs: null }]
    const values = [writtenRun(1, 0, falling(50))]
    const loss = plan({ series: series({ from: 0, to: 50, series: { loss: values } }), checkpoints })
    const diamonds = loss.marks.filter((one) => one.symbol === 'diamond')
    expect(diamonds.map(({ x, y }) => [x, y])).toEqual([[5, loss.geometry.y.min]])
    const norm = plan({ series: series({ from: 0, to: 50, series: { grad_norm: values } }), checkpoints })
    expect(norm.marks.some((one) => one.symbol === 'diamond')).toBe(false)
  })

  it('break the line at NaN and infinity, with one triangle a stretch', () => {
    const values = [3, NaN, Infinity, 2.8, 2.7, NaN, 2.6]
    const drawn = plan({ series: series({ from: 0, to: 7, series: { loss: [writtenRun(1, 0, values)] } }) })
    const raw = [...drawn.curves[0]!.data].filter((_, at) => at % 2 === 1)
    expect(raw.map(Number.isFinite)).toEqual([true, false, false, true, true, false, true])
    const triangles = drawn.marks.filter((one) => one.symbol === 'triangle')
    expect(triangles.map((one) => one.x)).toEqual([1.5, 5])
    expect(drawn.nonFinite).toBe(3)
    expect(drawn.option.graphic!.elements.some((one) => one.type === 'rect')).toBe(true)
  })
})

describe('points behind the picture', () => {
  it('are counted exactly where all are drawn, and told as an estimate in a thinned zoom', () => {
    const all = { from: 0, to: 100, series: { loss: [writtenRun(1, 0, falling(100))] } }
    expect(plan({ series: series(all) })).toMatchObject({ drawn: 100, behind: 100, exact: true })
    const thinned = series({ ...all, bucket: 8 })
    thinned.points = 800
    expect(plan({ series: thinned })).toMatchObject({ drawn: 100, behind: 800, exact: true })
    const part = plan({ series: thinned, view: { first: 0, last: 49 }, zoomed: true })
    expect(part).toMatchObject({ drawn: 50, behind: 400, exact: false })
  })
})

it('plans nothing where there is nothing finite', () => {
  const broken = series({ from: 0, to: 2, series: { loss: [writtenRun(1, 0, [NaN, NaN])] } })
  expect(planChart(input({ series: broken }))).toBeNull()
})

it('draws a single point as a dot', () => {
  const single = plan({
    series: series({ from: 0, to: 1, series: { loss: [writtenRun(1, 0, [3])] } }),
    view: { first: -1, last: 1 },
  })
  expect(single.curves.at(-1)!.circles).toMatchObject({ sizePx: 4, fill: '#0068ad' })
})

it('writes the title into a picture that stands alone', () => {
  const one = series({ from: 0, to: 50, series: { loss: [writtenRun(1, 0, falling(50))] } })
  const drawn = plan({ series: one, title: 'Loss curve · tiny-gpt' })
  expect(texts(drawn)).toContain('Loss curve · tiny-gpt')
  expect(drawn.geometry.top).toBe(plan({ series: one }).geometry.top + 32)
})
