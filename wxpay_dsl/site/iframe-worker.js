// Worker for pages that are opened as files, where browsers start none: the script runs in a hidden frame instead.
"use strict"
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.onmessage = this.onerror = this.onmessageerror = null
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      const base = new URL(url, document.baseURI)
      const load = (source) =>
        new Promise((done, failed) => {
          const script = inside.document.createElement("script")
          script.src = new URL(source, base)
          script.onload = done
          script.onerror = failed
          inside.document.body.append(script)
        })
      // What a script in a worker expects of its global scope: these two, and messages as events.
      inside.importScripts = (...sources) => sources.reduce((before, source) => before.then(() => load(source)), Promise.resolve())
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data })
        this.dispatchEvent(event)
        this.onmessage?.(event)
      }
      this.ready = load(base)
    }
    postMessage(data) {
      const inside = this.frame.contentWindow
      this.ready = this.ready.then(() => {
        const event = new inside.MessageEvent("message", { data })
        inside.dispatchEvent(event)
        inside.onmessage?.(event)
      })
    }
    terminate() {
      this.frame.remove()
    }
  }
