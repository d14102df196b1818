// The result of a call: the request, the message that was signed, and the response.
import { coloured } from '/sandbox/explorer/colours.js'
import { html, nothing } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const label = (chinese, english) => html`${chinese} <span lang="en">${english}</span>`

/** JSON indented and highlighted, any other text unchanged. */
const pretty = (place, text) => {
  try {
    return coloured(place, JSON.stringify(JSON.parse(text), null, 2), 'json')
  } catch {
    return text
  }
}

const headers = (pairs) => html`<details><summary>${label('报文头', 'headers')} <small>${pairs.length}</small></summary>
  <dl class="pairs">${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></details>`

/** A signed message: one item a line, with visible line ends. */
const message = (text, last) => {
  const lines = text.split('\n').slice(0, -1)
  return html`<ol class="message">${lines.map(
    (line, place) => html`<li><span class="line">${line || html`<i>${label('空', 'empty')}</i>`}</span><span class="end">\\n</span>
      <small>${last[place] ?? ''}</small></li>`,
  )}</ol>`
}

const REQUEST = ['方法 method', 'URL', '时间戳 timestamp', '随机串 nonce', '报文 body']
const RESPONSE = ['时间戳 timestamp', '随机串 nonce', '报文 body']

const verdict = (response) => {
  if (!response) return html`<span class="verdict bad">${label('没有应答', 'no response')}</span>`
  if (response.verified === true) return html`<span class="verdict good">✓ ${label('验签通过', 'verified')}</span>`
  if (response.verified === false) return html`<span class="verdict bad">✗ ${label('验签失败', 'not verified')}</span>`
  return html`<span class="verdict">${label('不验签', 'not verified: it is an error, or not signed')}</span>`
}

const failure = (error) => html`<div class="failure" role="alert"><strong>${error.kind}</strong> ${error.text}
  ${error.errors.length ? html`<ul>${error.errors.map(([path, text]) => html`<li><code>${path}</code> ${text}</li>`)}</ul>` : nothing}
  ${error.hint ? html`<p>${error.hint}</p>` : nothing}</div>`

/** The whole result of a call; `result` is the JSON of `POST send`. */
export function resultView(result) {
  const { request, response, data, error } = result
  return html`<section class="result" aria-label="结果 result">
    <h2>${label('结果', 'Result')} ${response ? html`<span class="status s${Math.floor(response.status / 100)}">${response.status}</span>` : nothing}
      ${request ? verdict(response) : nothing}</h2>
    ${error ? failure(error) : nothing}
    ${data === null ? nothing : html`<pre class="data" tabindex="0" aria-label="response.data">${coloured('data', JSON.stringify(data, null, 2), 'json')}</pre>`}
    ${request ? requestView(request) : nothing}
    ${response ? responseView(response) : nothing}
  </section>`
}

const requestView = (request) => html`<h3>${label('请求', 'Request')}</h3>
  <pre tabindex="0">${request.line}</pre>
  ${request.message ? html`<h4>${label('待签名串', 'Canonical message')}</h4>${message(request.message, REQUEST)}` : nothing}
  ${request.authorization
    ? html`<h4>Authorization</h4><dl class="pairs">${Object.entries(request.authorization).map(
        ([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`,
      )}</dl>`
    : nothing}
  ${headers(request.headers)}
  ${request.body && !request.message ? html`<pre tabindex="0">${request.body}</pre>` : nothing}`

const responseView = (response) => html`<h3>${label('应答', 'Response')}</h3>
  <pre tabindex="0">${response.body ? pretty('response', response.body) : '(空 empty)'}</pre>
  ${response.message ? html`<details><summary>${label('验签串', 'the signed message')}</summary>${message(response.message, RESPONSE)}</details>` : nothing}
  ${headers(response.headers)}`
