// Ten clients of every kind edit at random, lose their connections and come back: all end with the same.
import { KINDS, client, content, finish, job, random, until } from './clients.mjs'

const draw = random(job.seed)
const pick = list => list[Math.floor(draw() * list.length)]
const clients = Array.from({ length: 10 }, (_, i) => client(KINDS[i % KINDS.length], job.url, job.name, job.token))

function edit ({ text, map, array }) {
  const at = Math.floor(draw() * (text.length + 1))
  switch (Math.floor(draw() * 5)) {
    case 0: case 1: return text.insert(at, pick(['a', 'é', '漢', 'word ', '\n']))
    case 2: return text.length > 3 && text.delete(Math.min(at, text.length - 2), 2)
    case 3: return map.set(pick(['x', 'y', 'z']), Math.floor(draw() * 100))
    default: return array.insert(Math.floor(draw() * (array.length + 1)), [Math.floor(draw() * 10)])
  }
}

const offline = new Set()

/** Hocuspocus ignores `connect` until it has seen the end of the last connection. */
async function back (one) {
  const { websocketProvider } = one.provider.configuration ?? {}
  await until(() => !websocketProvider || websocketProvider.status !== 'connected', 'disconnected')
  one.provider.connect()
}

for (let round = 0; round < job.rounds; round++) {
  const one = pick(clients)
  edit(one)
  if (draw() < 0.05) {
    if (offline.delete(one)) await back(one)
    else { offline.add(one); one.provider.disconnect() }
  }
  if (draw() < 0.2) await new Promise(resolve => setTimeout(resolve, 5))
}
for (const one of offline) await back(one)
await until(() => new Set(clients.map(content)).size === 1, 'the same content everywhere')
await until(() => clients.every(({ provider }) => !provider.unsyncedChanges), 'everything acknowledged')
finish({ content: content(clients[0]), offline: offline.size, length: clients[0].text.length })
