// One operation on the page: its fields, an example to edit, the call as code, and the result of sending it.
import { CHAIN, TITLE, catalogue } from '/sandbox/explorer/catalogue.js'
import { coloured, load as loadColours } from '/sandbox/explorer/colours.js'
import { fieldsView } from '/sandbox/explorer/fields.js'
import { resultView } from '/sandbox/explorer/result.js'
import { html, nothing, render } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const API = '/sandbox/explorer/'
const LANGUAGES = [['python', 'Python'], ['javascript', 'JavaScript'], ['curl', 'curl']]
// Suggested operations.
const BEGINNINGS = [
  'v3.pay.transactions.native.post',
  'v3.pay.transactions.jsapi.post',
  'v3.pay.transactions.outTradeNo._out_trade_no_.get',
  'v3.refund.domestic.refunds.post',
  'v3.fundApp.mchTransfer.transferBills.post',
  'v3.eduPapay.contracts.presign.post',
  'v3.merchant.media.upload.post',
  'v2.pay.micropay.post',
]
// Milliseconds without a keystroke before the code is requested again.
const PAUSE = 250

const main = document.getElementById('operation')
const label = (chinese, english) => html`${chinese} <span lang="en">${english}</span>`

const ask = async (name, body) => {
  const response = await fetch(API + name, body ? { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {})
  const data = await response.json()
  if (!response.ok) throw new Error(`${data.code ?? response.status} ${data.message ?? ''}`)
  return data
}

// What the page shows of the open operation; null if none is open.
let state = null
let mark = () => {}
// The operations by chain; the kinds of faults with their descriptions.
let known = new Map()
let faults = {}
let pending = 0

const change = (changes) => {
  state = { ...state, ...changes }
  show()
}

const show = () => render(state ? operationView(state) : welcome(), main)

const welcome = () => html`<div class="welcome">
  <h1>${label('选一个接口', 'Pick an operation')}</h1>
  <p>每个请求都由沙箱的商户私钥签名，经真正的客户端发出，应答都验签。没有真钱。</p>
  <p lang="en">Each request is signed with the sandbox merchant's key and sent by the real client, each response verified. No real money.</p>
  <dl class="keys"><dt><kbd>/</kbd></dt><dd>${label('搜索', 'search')}</dd><dt><kbd>↑</kbd> <kbd>↓</kbd> <kbd>Enter</kbd></dt><dd>${label('选择', 'choose')}</dd>
  <dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>${label('发送', 'send')}</dd></dl>
  <h2>${label('从这里开始', 'Start here')}</h2>
  <ul class="beginnings">${BEGINNINGS.filter((chain) => known.has(chain)).map(
    (chain) => html`<li><a href="#${chain}">${known.get(chain)[TITLE]} <code>${chain}</code></a></li>`,
  )}</ul></div>`

// --- The example, and sending it -------------------------------------------------------------------------------------

const parsed = (text) => {
  try {
    const fields = JSON.parse(text)
    if (fields === null || typeof fields !== 'object' || Array.isArray(fields)) throw new SyntaxError('不是对象 · not an object')
    return { fields }
  } catch (error) {
    return { fault: String(error.message) }
  }
}

const edit = (text) => {
  const { fault } = parsed(text)
  change({ text, fault })
  clearTimeout(pending)
  if (!fault) pending = setTimeout(writeCode, PAUSE)
}

const fill = (fields) => {
  const text = JSON.stringify(fields, null, 2)
  main.querySelector('textarea').value = text
  edit(text)
}

let written = 0

const writeCode = async () => {
  const { chain } = state.operation
  const { fields, fault } = parsed(state.text)
  if (fault) return
  // Responses may arrive out of order: only the latest request counts.
  const turn = ++written
  try {
    const code = await ask('code', { chain, fields, fault: state.failing })
    if (state?.operation.chain === chain && turn === written) change({ code })
  } catch (error) {
    if (state?.operation.chain === chain && turn === written) change({ code: Object.fromEntries(LANGUAGES.map(([name]) => [name, String(error.message)])) })
  }
}

const chosenFiles = async () => {
  const files = {}
  for (const input of main.querySelectorAll('input[type=file]')) {
    const [file] = input.files
    if (!file) continue
    const bytes = new Uint8Array(await file.arrayBuffer())
    let text = ''
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
    files[input.name] = { name: file.name, base64: btoa(text) }
  }
  return files
}

const send = async () => {
  const { operation, text, check, failing, sending } = state
  const { fields, fault } = parsed(text)
  if (fault || sending) return
  change({ sending: true })
  let result
  try {
    result = await ask('send', { chain: operation.chain, fields, files: await chosenFiles(), check, fault: failing })
  } catch (error) {
    result = { request: null, response: null, data: null, error: { kind: error.name, text: String(error.message), errors: [], hint: '' } }
  }
  if (state?.operation.chain !== operation.chain) return
  change({ sending: false, result })
  main.querySelector('.result').scrollIntoView({ block: 'nearest', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' })
}

const keyed = (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    send()
  }
}

const chooseFault = (event) => {
  change({ failing: event.target.value })
  writeCode()
}

const editorView = ({ operation, text, fault, check, failing, sending }) => html`<section class="editor">
  <h2><label for="fields">${label('参数', 'Fields')}</label></h2>
  <p class="buttons"><button type="button" @click=${() => fill(operation.required)}>${label('必填', 'required')}</button>
    <button type="button" @click=${() => fill(operation.all)}>${label('全部', 'all')}</button></p>
  <textarea id="fields" spellcheck="false" autocapitalize="off" aria-invalid=${fault ? 'true' : 'false'} aria-describedby="fault"
    rows=${Math.min(Math.max(text.split('\n').length + 1, 6), 24)} .value=${text}
    @input=${(event) => edit(event.target.value)} @keydown=${keyed}></textarea>
  <p id="fault" class="fault" role="status">${fault ? html`JSON: ${fault}` : nothing}</p>
  ${operation.files.map((name) => html`<p><label>${name} <input type="file" name=${name}></label>
    <small>${label('不选则用一张小图', 'a tiny picture if none is chosen')}</small></p>`)}
  <p class="buttons"><button type="button" class="send" ?disabled=${Boolean(fault) || sending} @click=${send}>
      ${sending ? label('发送中…', 'Sending…') : label('发送', 'Send')}</button> <kbd>Ctrl</kbd> <kbd>Enter</kbd>
    <label class="check"><input type="checkbox" .checked=${check} @change=${(event) => change({ check: event.target.checked })}>
      ${label('先在本地校验', 'check before sending')}</label></p>
  <p class="failing"><label for="failing">${label('让它出错', 'make it fail')}</label> <select id="failing" @change=${chooseFault}>
      <option value="" .selected=${!failing}>不 · no</option>${Object.keys(faults).map(
        (kind) => html`<option value=${kind} .selected=${kind === failing}>${kind}</option>`,
      )}</select>${failing ? html` <small>${faults[failing]}</small>` : nothing}</p></section>`

// --- The code --------------------------------------------------------------------------------------------------------

const chooseLanguage = (language) => {
  try {
    localStorage.setItem('language', language)
  } catch {
    // Without local storage the first language is shown next time.
  }
  change({ language })
}

const tabbed = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
  if (!step) return
  event.preventDefault()
  const here = LANGUAGES.findIndex(([name]) => name === state.language)
  const [next] = LANGUAGES[(here + step + LANGUAGES.length) % LANGUAGES.length]
  chooseLanguage(next)
  main.querySelector(`#tab-${next}`).focus()
}

const copy = async () => {
  await navigator.clipboard.writeText(state.code[state.language])
  change({ copied: true })
  setTimeout(() => state && change({ copied: false }), 1500)
}

const codeView = ({ code, language, copied }) => html`<section class="code">
  <h2>${label('代码', 'Code')}</h2>
  <div class="tabs"><div role="tablist" aria-label="语言 language" @keydown=${tabbed}>${LANGUAGES.map(
    ([name, title]) => html`<button type="button" role="tab" id="tab-${name}" aria-controls="code" aria-selected=${name === language}
      tabindex=${name === language ? 0 : -1} @click=${() => chooseLanguage(name)}>${title}</button>`,
  )}</div><button type="button" class="copy" @click=${copy}>${copied ? label('已复制', 'copied') : label('复制', 'copy')}</button></div>
  <pre id="code" role="tabpanel" tabindex="0" aria-labelledby="tab-${language}">${code ? coloured('code', code[language], language) : '…'}</pre></section>`

// --- The operation ---------------------------------------------------------------------------------------------------

const operationView = (shown) => {
  const { operation, result } = shown
  return html`<p class="back"><a href="#">← ${label('全部接口', 'all operations')}</a></p>
    <p class="product">${operation.product}</p>
    <h1>${operation.title || operation.path}</h1>
    <p class="path"><span class="verb ${operation.verb.toLowerCase()}">${operation.verb}</span> <code>${operation.path}</code></p>
    <p class="chain"><code>await wxpay.${operation.chain}(…)</code></p>
    ${operation.description ? html`<p>${operation.description}</p>` : nothing}
    ${operation.roles.length || operation.remarks.length
      ? html`<p class="remarks">${operation.roles.map(([role, name]) => html`<span class="note">${label(name, role)}</span> `)}${operation.remarks.map(
          (remark) => html`<span class="note">${remark}</span> `,
        )}</p>`
      : nothing}
    ${operation.docs.length
      ? html`<p class="docs">${label('官方文档', 'official')}: ${operation.docs.map(
          (page) => html`<a href=${page} rel="noreferrer noopener" target="_blank">${page.replace('https://pay.weixin.qq.com/', '')}</a> `,
        )}</p>`
      : nothing}
    <div class="columns"><div>${fieldsView(operation)}</div><div>${editorView(shown)}${codeView(shown)}</div></div>
    ${result ? resultView(result) : nothing}`
}

const remembered = () => {
  let language = null
  try {
    language = localStorage.getItem('language')
  } catch {
    // As above.
  }
  return LANGUAGES.some(([name]) => name === language) ? language : LANGUAGES[0][0]
}

const openHash = async () => {
  const chain = decodeURIComponent(location.hash.slice(1))
  document.body.classList.toggle('reading', Boolean(chain))
  mark(chain)
  if (!chain || chain === 'operation') {
    const left = state?.operation.chain
    state = null
    document.title = '微信支付沙箱 · API explorer'
    show()
    // A narrow window shows one part at a time: restore the position in the list.
    return left && document.querySelector(`nav a[href="#${CSS.escape(left)}"]`)?.scrollIntoView({ block: 'center' })
  }
  try {
    if (!known.has(chain)) throw new Error(`没有这个接口 · no such operation: ${chain}`)
    const operation = await ask(`operation?chain=${encodeURIComponent(chain)}`)
    if (decodeURIComponent(location.hash.slice(1)) !== chain) return
    document.title = `${operation.title} · 微信支付沙箱`
    state = { operation, text: JSON.stringify(operation.required, null, 2), fault: '', check: true, failing: '', sending: false, result: null, code: null, language: remembered(), copied: false }
    // Render from scratch: a file that was chosen for another operation must not be sent with this one.
    render(nothing, main)
    show()
    main.scrollTop = 0
    scrollTo(0, 0)
    main.focus({ preventScroll: true })
    await writeCode()
  } catch (error) {
    state = null
    render(html`<div class="failure" role="alert">${String(error.message)}</div>`, main)
  }
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault()
  main.focus()
})

const begin = async () => {
  const operations = await ask('operations')
  known = new Map(operations.map((one) => [one[CHAIN], one]))
  mark = catalogue(document.getElementById('catalogue'), operations)
  performance.mark('listed')
  addEventListener('hashchange', openHash)
  if (location.hash) openHash()
  else {
    show()
    if (matchMedia('(min-width: 48rem)').matches) document.getElementById('search').focus()
  }
  faults = (await ask('../status')).kinds_of_fault
  await loadColours()
  show()
}

begin().catch((error) => render(html`<p class="failure" role="alert">${String(error.message)}</p>`, document.getElementById('catalogue')))
