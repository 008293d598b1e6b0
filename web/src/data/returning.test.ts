// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { keepReturning, proof } from './returning'

const KEY = '00'.repeat(31) + '01'
const PORT = 4321

/** A server after a restart: lets in who proves the key, or an impostor that has none. */
function serverOf(key: string) {
  const said: string[] = []
  let inside = false
  const fetcher = (async (path: string, init: RequestInit = {}) => {
    const body = init.body ? (JSON.parse(init.body as string) as { nonce: string; proof?: string }) : null
    said.push(path)
    switch (path) {
      case 'api/return-key':
        return inside ? Response.json({ key, port: PORT }) : new Response(null, { status: 403 })
      case 'api/return':
        return Response.json({ nonce: 'n2', proof: await proof(key, 'server', PORT, body!.nonce) })
      default:
        inside = body!.proof === (await proof(key, 'page', PORT, 'n2'))
        return new Response(null, { status: inside ? 204 : 403 })
    }
  }) as typeof fetch
  return { fetcher, said, letIn: (now: boolean) => (inside = now) }
}

describe('a page after a restart', () => {
  it('proves that it has the key and is let in', async () => {
    const server = serverOf(KEY)
    const page = keepReturning(PORT, server.fetcher)
    server.letIn(true)
    await page.prepare()
    server.letIn(false)
    expect(await page.comeBack()).toBe(true)
  })

  it('stays out without a key', async () => {
    const page = keepReturning(PORT, serverOf(KEY).fetcher)
    expect(await page.comeBack()).toBe(false)
  })

  it('proves nothing to a server that does not have the key', async () => {
    const server = serverOf(KEY)
    const impostor = serverOf('22'.repeat(32))
    let asked = server
    const page = keepReturning(PORT, ((...request) => asked.fetcher(...request)) as typeof fetch)
    server.letIn(true)
    await page.prepare()
    asked = impostor
    expect(await page.comeBack()).toBe(false)
    expect(impostor.said).not.toContain('api/return/proof')
  })

  it('is not let in behind another port, where its proof could be handed on', async () => {
    const server = serverOf(KEY)
    const page = keepReturning(PORT + 1, server.fetcher)
    server.letIn(true)
    await page.prepare()
    server.letIn(false)
    expect(await page.comeBack()).toBe(false)
  })

  it('writes the proof that the server expects', async () => {
    // hmac.new(bytes.fromhex(KEY), b"server|4321|00ff", hashlib.sha256).hexdigest()
    expect(await proof(KEY, 'server', PORT, '00ff')).toBe(
      'e81316113ade5e316233f7e740bce21a5f62770fcf2383b58f637c39ab15efd4',
    )
  })
})
