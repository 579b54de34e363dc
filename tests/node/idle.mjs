// Clients of every kind without awareness say and hear nothing, and stay connected.
import { KINDS, client, finish, job, until } from './clients.mjs'

const clients = KINDS.map(kind => client(kind, job.url, `idle-${kind}`, job.token, { awareness: false }))
const denied = KINDS.slice(0, 2).map(kind => client(kind, job.url, 'idle-denied', 'no token', { awareness: false }))
await until(() => clients.every(({ seen }) => seen.synced), 'synced')
await new Promise(resolve => setTimeout(resolve, job.seconds * 1000))
for (const { text } of clients) text.insert(0, 'awake')
await until(() => clients.every(({ provider }) => !provider.unsyncedChanges), 'acknowledged')
finish({ disconnects: clients.map(({ seen }) => seen.disconnects), denied: denied.map(({ seen }) => [seen.disconnects, seen.synced]) })
