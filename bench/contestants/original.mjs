// The JavaScript original, wechatpay-axios-plugin, by the chain of its own documentation. Run in the folder of its packages.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import http from 'node:http'

const told = JSON.parse(process.argv[2])
const { Wechatpay } = createRequire(process.argv[3] + '/')('wechatpay-axios-plugin')
const wxpay = new Wechatpay({
  mchid: told.mchid,
  serial: told.serial,
  privateKey: told.private_key,
  certs: { [told.public_key_id]: told.public_key },
  baseURL: told.base_url,
  httpAgent: new http.Agent({ keepAlive: true, maxSockets: 100 }),
})

async function call() {
  const { data } = await wxpay.v3.eduPapay.contracts.presign.post(told.data)
  if (!data.presign_token) throw new Error('no token')
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) break
  const order = JSON.parse(line)
  const cpu = process.cpuUsage()
  const begun = process.hrtime.bigint()
  let remaining = order.calls
  const work = async () => { while (remaining-- > 0) await call() }
  await Promise.all(Array.from({ length: order.in_flight }, work))
  const used = process.cpuUsage(cpu)
  console.log(JSON.stringify({
    cpu_s: (used.user + used.system) / 1e6,
    wall_s: Number(process.hrtime.bigint() - begun) / 1e9,
    rss_kb: Math.round(process.memoryUsage().rss / 1024),
  }))
}
process.exit(0)
