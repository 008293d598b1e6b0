import { describe, expect, it } from 'vitest'
import { isWorthSending } from './chosen-files'

describe('what is sent of a dropped folder', () => {
  it.each(['run/trainer_state.json', 'run/events.out.tfevents.17.host.1.0', 'run/checkpoint-5/config.json', 'run/log'])(
    'sends %s',
    (path) => expect(isWorthSending(path)).toBe(true),
  )

  it.each(['run/model-00001-of-00002.safetensors', 'run/training_args.bin', 'run/checkpoint-5/optimizer.pt'])(
    'leaves %s where it is',
    (path) => expect(isWorthSending(path)).toBe(false),
  )

  it('sends whatever a person dropped by itself', () => {
    expect(isWorthSending('odd.bin')).toBe(true)
  })
})
