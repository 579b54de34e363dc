// The unmodified providers, by the names that the tests use.
import WebSocket from 'ws'
import * as Y from 'yjs'
import { HocuspocusProvider as Hocuspocus3 } from '@hocuspocus/provider-3'
import { HocuspocusProvider as Hocuspocus4 } from '@hocuspocus/provider-4'
import { WebsocketProvider as Websocket30 } from 'y-websocket-3-0'
import { WebsocketProvider as Websocket31 } from 'y-websocket-3-1'

export const KINDS = ['y-websocket 3.0', 'y-websocket 3.1', 'hocuspocus 3', 'hocuspocus 4']

const YWS = { 'y-websocket 3.0': Websocket30, 'y-websocket 3.1': Websocket31 }
const HOCUSPOCUS = { 'hocuspocus 3': Hocuspocus3, 'hocuspocus 4': Hocuspocus4 }

/** One provider on a document of its own; `connect` and `disconnect` are the provider's. */
export function client (kind, url, name, token, { awareness = true, options = {} } = {}) {
  const doc = new Y.Doc()
  const seen = { kind, disconnects: 0, synced: 0, denied: [], authenticated: [] }
  const provider = kind in YWS
    ? yws(YWS[kind], url, name, token, doc, awareness, options)
    : hocuspocus(HOCUSPOCUS[kind], url, name, token, doc, awareness, options)
  provider.on('status', ({ status }) => { if (status === 'disconnected') seen.disconnects++ })
  provider.on('synced', () => { seen.synced++ })
  provider.on('authenticationFailed', ({ reason }) => seen.denied.push(reason))
  provider.on('authenticated', ({ scope }) => seen.authenticated.push(scope))
  return { kind, doc, provider, seen, text: doc.getText('text'), map: doc.getMap('map'), array: doc.getArray('array') }
}

function yws (Provider, url, name, token, doc, awareness, options) {
  const provider = new Provider(`${url}/v1/docs`, name, doc, {
    params: { token }, WebSocketPolyfill: WebSocket, disableBc: true, ...options
  })
  if (!awareness) provider.awareness.setLocalState(null)
  return provider
}

function hocuspocus (Provider, url, name, token, doc, awareness, options) {
  return new Provider({
    url: `${url}/v1/hocuspocus`, name, document: doc, token, WebSocketPolyfill: WebSocket,
    ...(awareness ? {} : { awareness: null }), ...options
  })
}

/** Waits for a condition; says what was missing when it does not come. */
export async function until (condition, what, seconds = 30) {
  const end = Date.now() + seconds * 1000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

export const content = ({ text, map, array }) => JSON.stringify([text.toString(), Object.entries(map.toJSON()).sort(), array.toJSON()])

/** A seeded generator, so that a run can be repeated. */
export function random (seed) {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export const job = JSON.parse(process.argv[2])

/** The result of the script, on its last line. */
export function finish (result) {
  console.log(JSON.stringify(result))
  process.exit(0)
}
