/**
 * A chart as a picture or as figures to take away: PNG, SVG, CSV of what is seen. Drawn afresh beside the page, so that a
 * folded chart can be exported too, and with its title in it; runs, values and marks are part of the drawing anyway.
 */
import { SVGRenderer } from 'echarts/renderers'
import { init, use, type EChartsType } from 'echarts/core'
import { beyondRange } from './beyond'
import { toCsv } from './csv'
import './engine'
import { text } from './graphics'
import { planChart, type ChartOption } from './option'
import { chartTitle, useStage } from './stage'

use([SVGRenderer])

const WIDTH_PX = 1200
const HEIGHT_PX = 560
const SHARPNESS = 2

export class NothingToExport extends Error {}

/** With the title, and what lies beyond the range: a picture must not leave out what the page says. */
function planned(metric: string): ChartOption {
  const stage = useStage()
  const input = stage.input(metric, 'main', WIDTH_PX, HEIGHT_PX)
  const name = stage.session.detail.value?.task.name ?? ''
  const plan = input && planChart({ ...input, title: name ? `${chartTitle(metric)} · ${name}` : chartTitle(metric) })
  if (!plan) throw new NothingToExport(metric)
  const { ground, ink3 } = stage.tokens.value
  const arrows = { above: '▲', below: '▼' }
  const said = beyondRange(metric, plan.extent, stage.session.language.value)
  const note = said.map(({ side, text: words }) => `${words} ${arrows[side]}`).join('   ')
  const elements = [...plan.option.graphic!.elements]
  if (note) elements.push(text(stage.tokens.value, note, { x: WIDTH_PX - 16, y: 18 }, { color: ink3, align: 'right' }))
  return { ...plan.option, graphic: { elements }, backgroundColor: ground }
}

function drawn(metric: string, renderer: 'canvas' | 'svg'): EChartsType {
  const option = planned(metric)
  const element = renderer === 'svg' ? null : document.createElement('div')
  const chart = init(element, null, {
    renderer,
    ssr: renderer === 'svg',
    width: WIDTH_PX,
    height: HEIGHT_PX,
    devicePixelRatio: SHARPNESS,
  })
  chart.setOption(option)
  return chart
}

/** Raises NothingToExport where the chart has no value in view. */
export async function chartPng(metric: string): Promise<Blob> {
  const chart = drawn(metric, 'canvas')
  try {
    const canvas = chart.renderToCanvas({ pixelRatio: SHARPNESS })
    return await new Promise<Blob>((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new NothingToExport(metric))), 'image/png')
    })
  } finally {
    chart.dispose()
  }
}

export function chartSvg(metric: string): Blob {
  const chart = drawn(metric, 'svg')
  try {
    return new Blob([chart.renderToSVGString()], { type: 'image/svg+xml' })
  } finally {
    chart.dispose()
  }
}

/** Puts the picture on the clipboard. Raises what the browser says where it is not allowed to. */
export async function copyChartPng(metric: string): Promise<void> {
  // The promise is handed over unresolved: Safari allows a write only while the click is being handled.
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': chartPng(metric) })])
}

/** The raw points in view of these metrics, as they are drawn; thinned where the curves are thinned. */
export function seenCsv(metrics: readonly string[]): Blob {
  const stage = useStage()
  const series = metrics.flatMap((metric) => stage.seriesOf(metric) ?? [])
  const view = stage.view.value
  if (!view || series.length === 0) throw new NothingToExport(metrics.join(', '))
  return new Blob([toCsv(series, view)], { type: 'text/csv' })
}

/** Saves a file under this name, by the way every browser and the window know. */
export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** `tiny-gpt-loss.png`: a name that every file system takes. */
export function fileName(metric: string | null, extension: string): string {
  const task = useStage().session.detail.value?.task.name ?? 'stepline'
  const clean = (text: string) => text.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|-+$/g, '')
  return `${[task, ...(metric === null ? [] : [metric])].map(clean).join('-')}.${extension}`
}
