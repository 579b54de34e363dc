// Awareness, read-only, denied, expired and refreshed tokens, as each kind of client sees them.
import { KINDS, client, finish, job, until } from './clients.mjs'

const result = {}

// y-websocket 3.1 stops at 4401; 3.0 comes back, is told, and idles.
await Promise.all(KINDS.slice(0, 2).map(async kind => {
  const cy = client(kind, job.url, `expired-${kind}`, job.expiring[kind])
  await until(() => cy.seen.disconnects >= 1, `${kind}: expired`)
  await new Promise(resolve => setTimeout(resolve, 1500))
  result[`${kind} expired`] = { disconnects: cy.seen.disconnects, connected: cy.provider.wsconnected }
  cy.provider.destroy()
}))
for (const kind of KINDS) {
  const name = `access-${kind}`
  const ann = client(kind, job.url, name, job.writer)
  const bob = client(kind, job.url, name, job.reader)
  await until(() => ann.seen.synced && bob.seen.synced, `${kind}: synced`)
  ann.provider.awareness.setLocalStateField('user', { name: 'ann' })
  const others = () => [...bob.provider.awareness.getStates().values()].filter(({ user }) => user?.name === 'ann')
  await until(() => others().length === 1, `${kind}: awareness appears`)
  bob.text.insert(0, 'sneaked ')
  ann.text.insert(0, 'written')
  await until(() => bob.text.toString().includes('written'), `${kind}: a reader reads`)
  ann.provider.disconnect()
  await until(() => others().length === 0, `${kind}: awareness disappears`)
  await until(() => ann.seen.disconnects === 1, `${kind}: disconnected`)
  ann.provider.connect()
  await until(() => others().length === 1, `${kind}: awareness comes back`, 14)
  const eve = client(kind, job.url, name, 'no token')
  await until(() => eve.seen.denied.length || kind.startsWith('y-websocket'), `${kind}: denied`)
  result[kind] = { text: ann.text.toString(), synced: eve.seen.synced, unsynced: bob.provider.unsyncedChanges ?? null }
  for (const { provider } of [ann, bob, eve]) provider.destroy()
}

// Hocuspocus asks the client's function for a new token before the old one expires.
for (const kind of KINDS.slice(2)) {
  const tokens = [job.expiring[kind], job.writer]
  const given = []
  const cy = client(kind, job.url, `renewed-${kind}`, () => { given.push(tokens[0]); return tokens.length > 1 ? tokens.shift() : tokens[0] })
  await until(() => given.length >= 2, `${kind}: asked again`)
  await new Promise(resolve => setTimeout(resolve, 2500))
  cy.text.insert(0, 'renewed')
  await until(() => cy.provider.unsyncedChanges === 0, `${kind}: acknowledged after renewal`)
  result[`${kind} renewed`] = { disconnects: cy.seen.disconnects, denied: cy.seen.denied }
  cy.provider.destroy()
}

finish(result)
