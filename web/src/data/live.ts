/**
 * The socket over which the server says what is new: facts as JSON, samples as binary frames.
 *
 * It reconnects by itself, waiting longer each time up to eight seconds, and at once when the machine comes back online or
 * the page comes to the front. On each opening it subscribes again at the cursor that the page has by then, so nothing is
 * missed; what comes twice is passed over where it is appended.
 */
import { ref, type Ref } from 'vue'
import type { ServerMessage, Subscribe } from '../wire'
import { decodeFrame, type Frame } from './frame'

export type Connection = 'connecting' | 'open' | 'lost'

/** What this module needs of a WebSocket; a test hands in its own. */
export interface Socket {
  binaryType: BinaryType
  readyState: number
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  send(text: string): void
  close(): void
}

export interface LiveOptions {
  connect: () => Socket
  /** What to subscribe to, as of now. */
  subscription: () => Subscribe
  onMessage: (message: ServerMessage) => void
  onFrame: (frame: Frame) => void
  onOpen?: () => void
  /** Asked before each further try: whether the server lets this page in. Without it each is tried. */
  comeBack?: () => Promise<boolean>
  /** First wait in milliseconds; doubled up to sixteen times. */
  patienceMs?: number
}

export interface Live {
  connection: Ref<Connection>
  /** Says the subscription again, where the socket is open; on opening it is said anyway. */
  subscribe(): void
  start(): void
  stop(): void
}

const OPEN = 1

export function openLive(options: LiveOptions): Live {
  const connection = ref<Connection>('connecting')
  const patienceMs = options.patienceMs ?? 500
  let socket: Socket | null = null
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | null = null
  let stopped = true
  let asking = false

  function subscribe(): void {
    if (socket?.readyState === OPEN) socket.send(JSON.stringify(options.subscription()))
  }

  function later(): void {
    timer = setTimeout(again, patienceMs * Math.min(16, 2 ** failures) * (0.75 + Math.random() / 2))
    failures += 1
  }

  function again(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (!options.comeBack) return open()
    if (asking) return
    asking = true
    void options.comeBack().then((may) => {
      asking = false
      if (stopped || socket !== null) return
      if (may) open()
      else later()
    })
  }

  function open(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const mine = options.connect()
    socket = mine
    mine.binaryType = 'arraybuffer'
    mine.onopen = () => {
      failures = 0
      connection.value = 'open'
      subscribe()
      options.onOpen?.()
    }
    mine.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (mine !== socket) return
      if (typeof event.data === 'string') options.onMessage(JSON.parse(event.data) as ServerMessage)
      else options.onFrame(decodeFrame(event.data))
    }
    mine.onclose = () => {
      if (mine !== socket) return
      socket = null
      if (stopped) return
      connection.value = 'lost'
      later()
    }
  }

  function hurry(): void {
    if (socket === null && !stopped && document.visibilityState === 'visible') again()
  }

  return {
    connection,
    subscribe,
    start() {
      if (!stopped) return
      stopped = false
      window.addEventListener('online', hurry)
      document.addEventListener('visibilitychange', hurry)
      open()
    },
    stop() {
      stopped = true
      window.removeEventListener('online', hurry)
      document.removeEventListener('visibilitychange', hurry)
      if (timer !== null) clearTimeout(timer)
      const mine = socket
      socket = null
      mine?.close()
    },
  }
}

/** The live socket of the server that the page came from. */
export function serverSocket(): Socket {
  const address = new URL('api/live', document.baseURI)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(address)
}
