/**
 * How this page comes back by itself when Stepline was started again on the same home, with another token (docs/server.md).
 *
 * The key is fetched while the page is let in, and kept in memory alone. After a restart the server proves first that it has
 * it too: another program that took the port learns nothing. Where the browser has no WebCrypto, or the page sees another
 * port than the server has, the page stays out and says what to do.
 */
import type { ReturnKey, ReturnProof } from '../wire'

export interface Returning {
  /** Fetches the key, where it is not there yet. */
  prepare(): Promise<void>
  /** Whether the page is let in, again where that was necessary. Never raises. */
  comeBack(): Promise<boolean>
}

const encoder = new TextEncoder()
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

export async function proof(key: string, side: 'server' | 'page', port: number, nonce: string): Promise<string> {
  const secret = await crypto.subtle.importKey('raw', bytesOf(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return hex(new Uint8Array(await crypto.subtle.sign('HMAC', secret, encoder.encode(`${side}|${port}|${nonce}`))))
}

export function keepReturning(
  port: number = Number(location.port || 80),
  fetcher: typeof fetch = (...request) => fetch(...request),
): Returning {
  let known: ReturnKey | null = null

  const post = (path: string, body: object): Promise<Response> =>
    fetcher(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      credentials: 'same-origin',
      body: JSON.stringify(body),
    })

  async function prove({ key }: ReturnKey): Promise<boolean> {
    const nonce = hex(crypto.getRandomValues(new Uint8Array(16)))
    const asked = await post('api/return', { nonce })
    if (!asked.ok) return false
    const told = (await asked.json()) as ReturnProof
    if (told.proof !== (await proof(key, 'server', port, nonce))) return false
    const mine: ReturnProof = { nonce: told.nonce, proof: await proof(key, 'page', port, told.nonce) }
    return (await post('api/return/proof', mine)).ok
  }

  async function fetchKey(): Promise<number> {
    const answer = await fetcher('api/return-key', { credentials: 'same-origin' })
    if (answer.ok) known = (await answer.json()) as ReturnKey
    return answer.status
  }

  return {
    async prepare() {
      if (known === null) await fetchKey().catch(() => undefined)
    },
    async comeBack() {
      try {
        const before = known
        const status = await fetchKey()
        if (status !== 403 || before === null) return status === 200
        return before.port === port && (await prove(before)) && (await fetchKey()) === 200
      } catch {
        return false
      }
    },
  }
}
