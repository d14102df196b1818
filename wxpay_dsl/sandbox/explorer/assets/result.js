// What went and what came: the request, what was signed of it, and the answer.
import { coloured } from '/sandbox/explorer/colours.js'
import { html, nothing } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const label = (chinese, english) => html`${chinese} <span lang="en">${english}</span>`

/** JSON indented and in colours, anything else as it is. */
const pretty = (place, text) => {
  try {
    return coloured(place, JSON.stringify(JSON.parse(text), null, 2), 'json')
  } catch {
    return text
  }
}

const headers = (pairs) => html`<details><summary>${label('报文头', 'headers')} <small>${pairs.length}</small></summary>
  <dl class="pairs">${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></details>`

/** A message to sign: a line each, its end visible. */
const message = (text, last) => {
  const lines = text.split('\n').slice(0, -1)
  return html`<ol class="message">${lines.map(
    (line, place) => html`<li><span class="line">${line || html`<i>${label('空', 'empty')}</i>`}</span><span class="end">\\n</span>
      <small>${last[place] ?? ''}</small></li>`,
  )}</ol>`
}

const REQUEST = ['方法 method', 'URL', '时间戳 timestamp', '随机串 nonce', '报文 body']
const ANSWER = ['时间戳 timestamp', '随机串 nonce', '报文 body']

const verdict = (answer) => {
  if (!answer) return html`<span class="verdict bad">${label('没有应答', 'no answer')}</span>`
  if (answer.verified === true) return html`<span class="verdict good">✓ ${label('验签通过', 'verified')}</span>`
  if (answer.verified === false) return html`<span class="verdict bad">✗ ${label('验签失败', 'not verified')}</span>`
  return html`<span class="verdict">${label('不验签', 'not verified: it is an error, or not signed')}</span>`
}

const failure = (error) => html`<div class="failure" role="alert"><strong>${error.kind}</strong> ${error.text}
  ${error.faults.length ? html`<ul>${error.faults.map(([path, text]) => html`<li><code>${path}</code> ${text}</li>`)}</ul>` : nothing}
  ${error.hint ? html`<p>${error.hint}</p>` : nothing}</div>`

/** The whole result of a call; `result` is what the sandbox told of it. */
export function resultView(result) {
  const { request, answer, data, error } = result
  return html`<section class="result" aria-label="结果 result">
    <h2>${label('结果', 'Result')} ${answer ? html`<span class="status s${Math.floor(answer.status / 100)}">${answer.status}</span>` : nothing}
      ${request ? verdict(answer) : nothing}</h2>
    ${error ? failure(error) : nothing}
    ${data === null ? nothing : html`<pre class="data" tabindex="0" aria-label="reply.data">${coloured('data', JSON.stringify(data, null, 2), 'json')}</pre>`}
    ${request ? requestView(request) : nothing}
    ${answer ? answerView(answer) : nothing}
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

const answerView = (answer) => html`<h3>${label('应答', 'Answer')}</h3>
  <pre tabindex="0">${answer.body ? pretty('answer', answer.body) : '(空 empty)'}</pre>
  ${answer.message ? html`<details><summary>${label('验签串', 'what its signature covers')}</summary>${message(answer.message, ANSWER)}</details>` : nothing}
  ${headers(answer.headers)}`
