// A document of 20 MB goes up through one kind of client and down through all.
import { KINDS, client, finish, job, until } from './clients.mjs'

const first = client('hocuspocus 4', job.url, job.name, job.token)
await until(() => first.seen.synced, 'synced')
const piece = 'x'.repeat(1024 * 1024)
for (let i = 0; i < 20; i++) first.text.insert(first.text.length, piece)
await until(() => first.provider.unsyncedChanges === 0, 'acknowledged', 60)
const clients = KINDS.map(kind => client(kind, job.url, job.name, job.token))
await until(() => clients.every(({ text }) => text.length === 20 * piece.length), 'joined', 60)
finish({ lengths: clients.map(({ text }) => text.length) })
