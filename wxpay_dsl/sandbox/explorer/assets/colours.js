// Code in colours, by highlight.js: fetched once the page stands, plain text until then.
import { nothing } from '/sandbox/explorer/vendor/lit-html/lit-html.js'

const LIBRARY = '/sandbox/explorer/vendor/highlight/'
const LANGUAGES = { bash: 'bash', curl: 'bash', javascript: 'javascript', json: 'json', python: 'python' }
// Characters: more than that is not read by its colours, and would take seconds.
const LONGEST = 100_000

let library = null
// What each place shows: [text, language, element]. An element stands in one place only.
const shown = new Map()

/** Fetches the library. */
export async function load() {
  const names = [...new Set(Object.values(LANGUAGES))]
  const [core, ...grammars] = await Promise.all(['core', ...names].map((name) => import(`${LIBRARY}${name}.min.js`)))
  names.forEach((name, place) => core.default.registerLanguage(name, grammars[place].default))
  library = core.default
}

/** `text` for the place that is called `place`: nothing but text, in colours where the library is there. */
export function coloured(place, text, language) {
  if (text === undefined || text === null) return nothing
  if (!library || text.length > LONGEST || !(language in LANGUAGES)) return text
  const before = shown.get(place)
  if (before?.[0] === text && before[1] === language) return before[2]
  const element = document.createElement('code')
  // The library escapes all that is in the text.
  element.innerHTML = library.highlight(text, { language: LANGUAGES[language] }).value
  shown.set(place, [text, language, element])
  return element
}
