/**
 * The charts' front door.
 *
 * `<ChartPane metric size="main|small">` draws one metric and keeps its points fetched while it is mounted; its slots are
 * `help` (a button beside full screen) and `empty`. `<SparkLine metric>` is the small line beside a figure. `useChartKeys`
 * is called once by the page that shows charts. The exports work for any metric that is fetched, folded or not.
 */
export { default as ChartPane } from './ChartPane.vue'
export { default as SparkLine } from './SparkLine.vue'
export { chartPng, chartSvg, copyChartPng, fileName, NothingToExport, saveFile, seenCsv } from './exports'
export { useChartKeys } from './keys'
export { chartTitle } from './stage'
