/**
 * What the person set: language, theme, smoothing, axis, folds and heights. Reactive, and kept in the server's store, because
 * port 0 and the window's private mode empty the browser's own storage.
 *
 * Only what changed is written, half a second after the last change. A value from the store whose form is not the expected
 * one is left out, so that an older or newer page does not break this one.
 */
import { reactive, watch } from 'vue'
import type { Axis } from '../wire'
import type { SettingValues } from './api'
import type { Language } from './language'
import { NOTIFY_KINDS, type NotifyKind } from './notifying'

export interface Average {
  on: boolean
  /** In points. */
  span: number
}

export interface Settings {
  /** Null: as the browser asks. */
  language: Language | null
  theme: 'light' | 'dark' | 'system'
  ema: Average
  ma: Average
  axis: Axis
  /** Scale y to the 1st to 99th percentile. */
  fit: boolean
  logarithmic: boolean
  range: 'whole' | 'latest'
  othersOpen: boolean
  /** Groups of further metrics by their name prefix: open or not. */
  groupsOpen: Record<string, boolean>
  /** In pixels. */
  logHeight: number
  logOpen: boolean
  /** Compress the journals of ended runs instead of removing them. */
  keepJournals: boolean
  /** What is told through the desktop while nobody looks. The window reads it too. */
  notify: Record<NotifyKind, boolean>
  /** Keep the machine from sleeping while a training runs on it. The window reads it. */
  keepAwake: boolean
  /** Days that a deleted task stays in the trash; 0: until it is emptied. The server reads it too. */
  trashDays: number
  /** The task looked at last. */
  task: string | null
}

export function defaultSettings(): Settings {
  return {
    language: null,
    theme: 'system',
    ema: { on: true, span: 10 },
    ma: { on: true, span: 5 },
    axis: 'sequence',
    fit: true,
    logarithmic: false,
    range: 'whole',
    othersOpen: false,
    groupsOpen: {},
    logHeight: 226,
    logOpen: true,
    keepJournals: false,
    notify: { ended: true, failed: true, stalled: true, finding: true },
    keepAwake: true,
    trashDays: 30,
    task: null,
  }
}

const AXES: readonly string[] = ['sequence', 'step', 'epoch', 'time', 'relative', 'tokens'] satisfies Axis[]
const isAverage = (value: unknown): boolean =>
  isRecord(value) && typeof value.on === 'boolean' && typeof value.span === 'number' && value.span >= 1
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const oneOf =
  (...allowed: unknown[]) =>
  (value: unknown): boolean =>
    allowed.includes(value)

const VALID: Record<keyof Settings, (value: unknown) => boolean> = {
  language: oneOf('zh', 'en', null),
  theme: oneOf('light', 'dark', 'system'),
  ema: isAverage,
  ma: isAverage,
  axis: oneOf(...AXES),
  fit: isBoolean,
  logarithmic: isBoolean,
  range: oneOf('whole', 'latest'),
  othersOpen: isBoolean,
  groupsOpen: (value) => isRecord(value) && Object.values(value).every(isBoolean),
  logHeight: (value) => typeof value === 'number' && value >= 0,
  logOpen: isBoolean,
  keepJournals: isBoolean,
  notify: (value) => isRecord(value) && NOTIFY_KINDS.every((kind) => typeof value[kind] === 'boolean'),
  keepAwake: isBoolean,
  trashDays: (value) => Number.isInteger(value) && (value as number) >= 0,
  task: (value) => value === null || typeof value === 'string',
}

export interface KeptSettings {
  settings: Settings
  /** Takes in what the store holds; not written back. */
  take(values: SettingValues): void
  /** Writes what is still waiting, at once. */
  flush(): void
}

export function keepSettings(save: (changed: SettingValues) => void, delayMs = 500): KeptSettings {
  const settings = reactive(defaultSettings())
  const names = Object.keys(settings) as (keyof Settings)[]
  const written = new Map(names.map((name) => [name, JSON.stringify(settings[name])]))
  let timer: ReturnType<typeof setTimeout> | null = null

  function flush(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const changed: SettingValues = {}
    for (const name of names) {
      const text = JSON.stringify(settings[name])
      if (text === written.get(name)) continue
      written.set(name, text)
      changed[name] = JSON.parse(text) as unknown
    }
    if (Object.keys(changed).length > 0) save(changed)
  }

  function take(values: SettingValues): void {
    for (const name of names) {
      const value = values[name]
      if (value === undefined || !VALID[name](value)) continue
      Object.assign(settings, { [name]: value })
      written.set(name, JSON.stringify(value))
    }
  }

  watch(
    settings,
    () => {
      if (timer !== null) clearTimeout(timer)
      timer = setTimeout(flush, delayMs)
    },
    { deep: true, flush: 'sync' },
  )

  return { settings, take, flush }
}
