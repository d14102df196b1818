// Syntax highlighting by highlight.js, loaded after the page; plain text until then.
import { nothing } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const LIBRARY = '/sandbox/explorer/vendor/highlight/'
const LANGUAGES = { bash: 'bash', curl: 'bash', javascript: 'javascript', json: 'json', python: 'python' }
// Characters; highlighting longer text would take seconds.
const LONGEST = 100_000

let library = null
// What each place shows: [text, language, element]. An element can be in one place only.
const shown = new Map()

/** Loads the library. */
export async function load() {
  const names = [...new Set(Object.values(LANGUAGES))]
  const [core, ...grammars] = await Promise.all(['core', ...names].map((name) => import(`${LIBRARY}${name}.min.js`)))
  names.forEach((name, place) => core.default.registerLanguage(name, grammars[place].default))
  library = core.default
}

/** `text` for the place named `place`: plain text, or highlighted if the library is loaded. */
export function coloured(place, text, language) {
  if (text === undefined || text === null) return nothing
  if (!library || text.length > LONGEST || !(language in LANGUAGES)) return text
  const before = shown.get(place)
  if (before?.[0] === text && before[1] === language) return before[2]
  const element = document.createElement('code')
  // The library escapes the text.
  element.innerHTML = library.highlight(text, { language: LANGUAGES[language] }).value
  shown.set(place, [text, language, element])
  return element
}
