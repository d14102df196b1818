// The fields of an operation, section by section: each with its type, title and limits.
import { html, nothing } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const SECTIONS = {
  path: '路径参数 path',
  query: '查询参数 query',
  header: '请求头 header',
  body: '报文 body',
  form: '表单 form',
  returns: '应答 returns',
}
// Sections with at most so many fields are open in a narrow window.
const FEW = 12

const label = (chinese, english) => html`${chinese} <span lang="en">${english}</span>`

const row = (field) => html`<tr class="depth${Math.min(field.depth, 6)}">
  <th scope="row"><code>${field.name}</code>${field.optional ? nothing : html`<b title="必填 required" aria-hidden="true">*</b><span class="unseen"> 必填 required</span>`}
    <small>${field.type}</small></th>
  <td>${field.title}${field.notes.length
    ? html`<div>${field.notes.map((note) => html`<span class="note ${note.startsWith('encrypted') ? 'encrypted' : ''}">${note}</span> `)}</div>`
    : nothing}</td></tr>`

const section = ({ name, fields }) => {
  const title = SECTIONS[name] ?? name
  const open = name !== 'returns' && (fields.length <= FEW || matchMedia('(min-width: 48rem)').matches)
  return html`<details ?open=${open}>
    <summary>${title} <small>${fields.length}</small></summary>
    <div class="scroll" tabindex="0" role="region" aria-label=${title}><table>
      <thead><tr><th scope="col">${label('字段', 'field')}</th><th scope="col">${label('说明', 'meaning')}</th></tr></thead>
      <tbody>${fields.map(row)}</tbody></table></div></details>`
}

/** All sections of an operation; those of the request are open. */
export function fieldsView(operation) {
  return operation.sections.map(section)
}
