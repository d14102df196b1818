// The list of all operations, and the search in it.
import { html, nothing, render } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

// The positions in an operation's row: [verb, path, title, chain, product].
const VERB = 0
const PATH = 1
export const TITLE = 2
export const CHAIN = 3
const PRODUCT = 4

/** The operations that contain every word of `query`; those with an equal title, then a prefix of it, first. */
export function search(operations, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return operations
  const found = operations.filter((one) => {
    const text = one.slice(VERB, PRODUCT + 1).join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
  const whole = words.join(' ')
  const rank = (one) => {
    const title = one[TITLE].toLowerCase()
    return title === whole ? 0 : title.startsWith(whole) ? 1 : title.includes(whole) ? 2 : 3
  }
  return found.map((one, place) => [rank(one), place, one]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((one) => one[2])
}

/** Renders the list in `nav`; returns the function that marks the operation that is open. */
export function catalogue(nav, operations) {
  let query = ''
  let open = ''

  const rows = (found) => {
    // Without a search the list is grouped by product.
    let product = query ? undefined : ''
    const reached = found.some((one) => one[CHAIN] === open) ? open : found[0]?.[CHAIN]
    return found.map((one) => {
      const heading = product !== undefined && one[PRODUCT] !== product ? one[PRODUCT] : ''
      if (heading) product = heading
      return html`${heading ? html`<li class="product">${heading}</li>` : nothing}<li>
        <a href="#${one[CHAIN]}" tabindex=${one[CHAIN] === reached ? 0 : -1} aria-current=${one[CHAIN] === open ? 'page' : nothing}>
          <span class="verb ${one[VERB].toLowerCase()}">${one[VERB]}</span>
          <span class="title">${one[TITLE] || one[PATH]}</span>
          <code>${one[PATH]}</code>${query ? html`<small>${one[PRODUCT]}</small>` : nothing}
        </a></li>`
    })
  }

  const show = () => {
    const found = search(operations, query)
    render(
      html`<div class="search"><label for="search">搜索接口 <span lang="en">Search</span> <kbd>/</kbd></label>
        <input id="search" type="search" autocomplete="off" spellcheck="false" placeholder="标题、路径、链 · title, path, chain"
          .value=${query} @input=${typed} @keydown=${moved}>
        <p class="count" role="status">${found.length} 个接口 <span lang="en">operations</span></p></div>
        <ul @keydown=${moved}>${rows(found)}</ul>`,
      nav,
    )
  }

  const typed = (event) => {
    query = event.target.value
    show()
    nav.querySelector('ul').scrollTop = 0
  }

  // Arrow keys move from the search into the list and through it; Enter follows a link by itself.
  const moved = (event) => {
    const links = [...nav.querySelectorAll('li a')]
    const here = links.indexOf(document.activeElement)
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    const box = nav.querySelector('input')
    if (event.key === 'Escape' && here >= 0) box.focus()
    else if (event.key === 'Enter' && here < 0 && links.length) links[0].click()
    else if (event.key === 'Home' && here >= 0) links[0].focus()
    else if (event.key === 'End' && here >= 0) links.at(-1).focus()
    else if (!step || !links.length) return
    else if (here + step < 0) box.focus()
    else links[Math.min(here + step, links.length - 1)].focus()
    event.preventDefault()
  }

  document.addEventListener('keydown', (event) => {
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '')
    if (event.key === '/' && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault()
      document.body.classList.remove('reading')
      nav.querySelector('input').focus()
    }
  })

  show()
  return (chain) => {
    open = chain
    show()
    nav.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' })
  }
}
